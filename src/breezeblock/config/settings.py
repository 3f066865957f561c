"""The settings of one service: read once, checked as a whole, passed down, never global."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from oslo_config import cfg
from oslo_log import _options as log_options
from oslo_log import log

from breezeblock.config import auth, backend, database, process, quota, scheduler, service
from breezeblock.config.origins import DEFAULT, Assignment, Assignments, Origin

PROJECT = "breezeblock"
EMBEDDED_BACKEND = "file"
_ROOMS = (process, service, scheduler, quota, database, auth, backend)


class ConfigurationError(Exception):
    """The configuration cannot be used; ``problems`` holds one sentence for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class BackendConfiguration:
    """The options of one backend, each an attribute: section, then shared values, then default."""

    __slots__ = ("_origins", "_values", "section")

    def __init__(
        self,
        section: str,
        values: Mapping[str, Any],
        origins: Mapping[str, Origin] | None = None,
    ) -> None:
        self.section = section
        self._values = MappingProxyType(dict(values))
        self._origins = MappingProxyType(dict(origins or {}))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(f"backend section [{self.section}] has no option {name}")
        return self._values[name]

    def __repr__(self) -> str:
        # No values: some of them are secrets.
        return f"BackendConfiguration({self.section!r})"

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of an option that this section may not know."""
        return self._values.get(name, default)

    def origin(self, name: str) -> Origin:
        """Where the value of ``name`` comes from."""
        return self._origins.get(name, DEFAULT)


class Settings:
    """Everything a service was told: ``conf`` by section and option, and the ``backends``.

    Two instances in one process do not know of each other.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        backends: Mapping[str, BackendConfiguration],
        assignments: Assignments,
        files: Sequence[Path],
    ) -> None:
        self.conf = conf
        self.backends = MappingProxyType(dict(backends))
        self.files = tuple(files)
        self._assignments = assignments

    @property
    def host(self) -> str:
        """Name of this host in service names."""
        return str(self.conf.host)

    def service_host(self, backend_name: str) -> str:
        """``host@backend``: the service, and queue, of one of the backends."""
        return f"{self.backends[backend_name].backend_host or self.host}@{backend_name}"

    def origin(self, option: cfg.Opt, section: str = "DEFAULT") -> Origin:
        """Where the value of an option outside the backend sections comes from."""
        return _origin(self.conf, self._assignments, option, section)

    def unrecognised(self) -> list[Assignment]:
        """What the files set, in sections known here, that no option is called."""
        known: dict[str, set[str]] = {}
        for section, options in sections(self.conf, self.backends).items():
            names = known.setdefault(section.lower(), set())
            for option in options:
                names.update(_names(option))
        return [
            assignment
            for assignment in self._assignments
            if assignment.section.lower() in known
            and assignment.option not in known[assignment.section.lower()]
        ]


def load(
    config_files: Sequence[str | Path] | None = None,
    config_dirs: Sequence[str | Path] = (),
) -> Settings:
    """Read the configuration, or refuse with every problem in it.

    ``config_files`` are read in order, later ones win, then the ``*.conf`` of ``config_dirs``.
    None means the files an installation has (``/etc/breezeblock/breezeblock.conf`` and the
    like); an empty sequence means none: defaults only.
    """
    if config_files is None and not config_dirs:
        config_files = cfg.find_config_files(project=PROJECT)
    files = [Path(file) for file in config_files or ()]
    for directory in config_dirs:
        files.extend(sorted(Path(directory).glob("*.conf")))
    try:
        assignments = Assignments(files)
    except OSError as error:
        reason = f"Configuration file {error.filename} cannot be read: {error.strerror}."
        raise ConfigurationError([reason]) from error
    conf = _parse(files)
    names = _backend_names(conf, assignments)
    for name in names:
        _register_backend(conf, name)
    problems = list(_problems(conf, assignments, names))
    if problems:
        raise ConfigurationError(problems)
    backends = {name: _resolve(conf, assignments, name) for name in names}
    return Settings(conf, backends, assignments, files)


def sections(conf: cfg.ConfigOpts, backends: Iterable[str]) -> dict[str, list[cfg.Opt]]:
    """Every option that is known, by section: ours, the log's, and the backends'."""
    found: dict[str, list[cfg.Opt]] = {"DEFAULT": []}
    for room in _ROOMS:
        for section, options in room.groups().items():
            found.setdefault(section, []).extend(options)
    # What the log library tells option generators; it registers not all of them here.
    for _, options in log_options.list_opts():
        found["DEFAULT"].extend(option for option in options if option.dest in conf)
    for name in backends:
        found[name] = list(backend.BACKEND_OPTIONS)
    return found


def _parse(files: Sequence[Path]) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    for room in _ROOMS:
        for section, options in room.groups().items():
            conf.register_opts(options, group=None if section == "DEFAULT" else section)
    try:
        conf(
            args=[],
            project=PROJECT,
            prog=PROJECT,
            default_config_files=[str(f) for f in files],
            default_config_dirs=[],
        )
    except cfg.Error as error:
        raise ConfigurationError([str(error)]) from error
    return conf


def _backend_names(conf: cfg.ConfigOpts, assignments: Assignments) -> list[str]:
    names = conf.enabled_backends
    if not names:
        return [EMBEDDED_BACKEND]
    problems = [
        f"{_where(assignments.find('DEFAULT', ['enabled_backends']))}enabled_backends names "
        f"'{name}', but no file has a section [{name}]."
        for name in names
        if name.lower() not in assignments.sections
    ]
    if len(set(names)) < len(names):
        problems.append(f"enabled_backends names a section twice: {', '.join(names)}.")
    if problems:
        raise ConfigurationError(problems)
    return list(names)


def _register_backend(conf: cfg.ConfigOpts, name: str) -> None:
    conf.register_opts(backend.BACKEND_OPTIONS, group=name)
    conf.set_default("volume_backend_name", name, group=name)
    conf.set_default("file_volumes_directory", f"$state_path/{name}", group=name)
    if not conf.enabled_backends:
        # The embedded backend keeps to this machine, like the API, until told otherwise.
        conf.set_default("volume_driver", "file", group=name)
        conf.set_default("target_ip_address", "127.0.0.1", group=name)


def _problems(
    conf: cfg.ConfigOpts, assignments: Assignments, backends: Iterable[str]
) -> Iterator[str]:
    for section, options in sections(conf, backends).items():
        for option in options:
            try:
                _value(conf, option, section)
            except (cfg.Error, ValueError) as error:
                found = assignments.find(section, _names(option))
                reason = str(error).partition("is not valid: ")[2] or str(error)
                shown = found.text if found else ""
                if option.secret:
                    reason, shown = "the value has not the right form", "****"
                setting = f"[{section}] {option.name} = {shown}"
                yield f"{_where(found)}{setting}: {reason.rstrip('.')}."


def _resolve(conf: cfg.ConfigOpts, assignments: Assignments, name: str) -> BackendConfiguration:
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for wide, section in backend.SERVICE_WIDE.items():
        values[wide] = conf[wide] if section == "DEFAULT" else conf[section][wide]
    for option in backend.BACKEND_OPTIONS:
        places = [name, "backend_defaults"]
        if option.name in backend.FALLING_BACK_TO_DEFAULT:
            places.append("DEFAULT")
        for place in places:
            origin = _origin(conf, assignments, option, place)
            if origin.kind != "default":
                break
        else:
            place = name
        values[option.dest] = _value(conf, option, place)
        origins[option.dest] = origin
    return BackendConfiguration(name, values, origins)


def _value(conf: cfg.ConfigOpts, option: cfg.Opt, section: str) -> Any:
    return conf[option.dest] if section == "DEFAULT" else conf[section][option.dest]


def _origin(
    conf: cfg.ConfigOpts, assignments: Assignments, option: cfg.Opt, section: str
) -> Origin:
    location = conf.get_location(option.dest, None if section == "DEFAULT" else section)
    if location is None or not location.location.is_user_controlled:
        return DEFAULT
    if location.location is cfg.Locations.environment:
        return Origin(kind="environment", place=location.detail)
    found = assignments.find(section, _names(option))
    return Origin(
        kind="file",
        place=found.file if found else location.detail,
        section=section,
        line=found.line if found else 0,
    )


def _names(option: cfg.Opt) -> list[str]:
    """The name of an option and the older ones it answers to."""
    older = [old.name for old in option.deprecated_opts if old.name]
    return [option.name, option.dest, *older]


def _where(assignment: Assignment | None) -> str:
    return f"{assignment.file}:{assignment.line}: " if assignment else ""
