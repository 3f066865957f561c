"""The worker's side of a process: it sets backends up, reports them, and runs their operations."""
