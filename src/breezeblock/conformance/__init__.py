"""The conformance kit: one suite of tests that every volume driver has to pass.

It runs against a real backend of a real configuration::

    breezeblock conformance --config-file breezeblock.conf --backend NAME [pytest arguments]

and is shipped with the service, so that authors of drivers outside this project run the same
tests; ``pip install breezeblock[conformance]`` brings what it needs.  ``docs/drivers.md`` says
how to read its result.

The kit deletes what it makes and touches nothing else.  No worker may serve the backend
meanwhile: the kit calls ``recover``, which removes what interrupted calls left behind.
"""
