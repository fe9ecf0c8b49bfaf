"""Models and data sets of the Hugging Face hub, kept once in the home under their commit and read from there.

Only public repositories: no token is ever sent, since whoever writes an experiment may have read hostile text. Needs
the optional packages of `pip install 'conjecture[hub]'`.
"""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.errors import TaskDataError
from engine.experiment.fetched import COMMIT, DATA, MODELS, SINGULAR, Fetched, Wanted, in_bytes
from engine.experiment.table_files import READERS, handed_in
from engine.experiment.within import Interrupted
from sandbox.workspace import wrong_path

INERT: Mapping[str, tuple[str, ...]] = {  # nothing that holds code, or what nobody can look into
    MODELS: (".safetensors", ".onnx", ".json", ".txt", ".model", ".spm"),
    DATA: tuple(READERS),
}
OTHERWISE = {b"\x80": "a pickle", b"PK\x03\x04": "an archive", b"\x1f\x8b": "compressed", b"\x7fELF": "a program"}
MOST_FILES = 200
NAMED = 12  # in a sentence
PROBE_SECONDS = 5.0  # the calls themselves try again for half a minute
MOST_SECONDS = 900.0  # of what is fetched at once
FOLDER = "hub"  # in the home


class Hub(Protocol):
    """Thread-safe. What cannot be had, for whatever reason, is a TaskDataError whose sentence says what to do."""

    @property
    def most_bytes(self) -> int:
        """That one experiment may be given."""
        ...

    def fetch(self, wanted: Wanted, room: int, stopped: Callable[[], bool]) -> Fetched:
        """Have it here, `room` bytes at most. Raises TaskDataError, Interrupted when it is stopped."""
        ...

    def paths(self, fetched: Fetched) -> dict[str, Path]:
        """Each file by its path in the repository, unchanged, fetched again if need be. Raises TaskDataError."""
        ...

    def forget(self, fetched: Fetched) -> None:
        """Delete its files here."""
        ...


class NoHub:
    """Where nobody outside is asked."""

    most_bytes = 0

    def fetch(self, wanted: Wanted, room: int, stopped: Callable[[], bool]) -> Fetched:
        raise _switched_off(wanted.in_words)

    def paths(self, fetched: Fetched) -> dict[str, Path]:
        raise _switched_off(fetched.in_words)

    def forget(self, fetched: Fetched) -> None: ...


def read(hub: Hub, fetched: Sequence[Fetched]) -> dict[str, bytes]:
    """What a script sees below inputs/. Raises TaskDataError."""
    found = {}
    for one in fetched:
        for name, path in hub.paths(one).items():
            shown, content = handed_in(path, name)
            found[f"{one.folder}/{shown}"] = content
    return found


@dataclass(frozen=True, slots=True)
class Client:
    """The hub's own client, imported when it is first needed. faults: all that it raises for what went wrong."""

    package: Any
    api: Any
    faults: tuple[type[Exception], ...]

    @classmethod
    def of(cls, endpoint: str | None) -> Client:
        """Raises ImportError."""
        package = importlib.import_module("huggingface_hub")
        errors = importlib.import_module("huggingface_hub.errors")
        session = importlib.import_module("huggingface_hub.utils").get_session()
        http = importlib.import_module(type(session).__module__.partition(".")[0]).HTTPError  # of its own httpx
        faults = (errors.HfHubHTTPError, http, OSError, ValueError, RuntimeError)
        return cls(package, package.HfApi(endpoint=endpoint, token=False), faults)

    def probe(self) -> None:
        """Raises one of the faults, soon, when nobody answers."""
        session = importlib.import_module("huggingface_hub.utils").get_session()
        session.head(self.api.endpoint, timeout=PROBE_SECONDS)


class HuggingFaceHub:
    """folder: where files are kept, as the hub's own client lays out its cache. It may be deleted at any time."""

    def __init__(self, folder: Path, most_bytes: int, endpoint: str | None = None) -> None:
        """most_bytes: 0 asks nobody; what is here can still be read."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._endpoint = endpoint

    @property
    def most_bytes(self) -> int:
        return self._most_bytes

    def fetch(self, wanted: Wanted, room: int, stopped: Callable[[], bool]) -> Fetched:
        if not self._most_bytes:
            raise _switched_off(wanted.in_words)
        client = self._client(wanted.in_words)
        try:
            client.probe()
            ask = client.api.model_info if wanted.what == MODELS else client.api.dataset_info
            info = ask(wanted.repository, revision=wanted.revision, files_metadata=True, timeout=PROBE_SECONDS * 2)
        except client.faults as error:
            raise TaskDataError(_advice(wanted.in_words, error)) from error
        if not COMMIT.fullmatch(str(info.sha)):
            raise TaskDataError(
                f"The hub names no commit of {wanted.in_words}, so it could not be had again. Choose another."
            )
        listed = {one.rfilename: one for one in info.siblings or ()}
        chosen = _chosen(wanted, {name: one.size for name, one in listed.items()})
        _require_room(wanted, chosen, room, self._most_bytes)
        told = {"what": wanted.what, "repository": wanted.repository, "revision": str(info.sha)}
        digests: dict[str, str] = {}
        size, watch = 0, _watch(room, stopped)
        try:
            for name in chosen:
                path = self._path(client, **told, name=name, watch=watch)
                digests[name] = ""
                digests[name] = _digest(path, name, getattr(listed[name].lfs, "sha256", None))
                size += len(handed_in(path, name)[1])
                if size > room:
                    raise TaskDataError(
                        f"{name} unfolds to more than the {in_bytes(room)} that are left. Name fewer files."
                    )
        except TaskDataError:
            self._delete(client, **told, names=digests)
            raise
        return Fetched(**told, files=digests, size=size, licence=_licence(info))

    def paths(self, fetched: Fetched) -> dict[str, Path]:
        client = self._client(fetched.in_words)
        told = {"what": fetched.what, "repository": fetched.repository, "revision": fetched.revision}
        found, watch = {}, _watch(self._most_bytes, lambda: False)
        for name, digest in fetched.files.items():
            found[name] = self._path(client, **told, name=name, watch=watch)
            _digest(found[name], name, digest)
        return found

    def forget(self, fetched: Fetched) -> None:
        told = {"what": fetched.what, "repository": fetched.repository, "revision": fetched.revision}
        self._delete(self._client(fetched.in_words), **told, names=fetched.files)

    def _delete(self, client: Client, *, what: str, repository: str, revision: str, names: Iterable[str]) -> None:
        for name in names:
            path = self._here(client, what, repository, revision, name)
            if path is not None:
                blob = path.parent / path.readlink() if path.is_symlink() else path
                for one in (path, blob):
                    one.unlink(missing_ok=True)

    def _client(self, name: str) -> Client:
        try:
            return Client.of(self._endpoint)
        except ImportError as error:
            raise TaskDataError(
                f"{name} needs the package huggingface_hub, which is not installed where the bot runs: "
                "pip install 'conjecture[hub]'. Go on with what lies here."
            ) from error

    def _here(self, client: Client, what: str, repository: str, revision: str, name: str) -> Path | None:
        found = client.package.try_to_load_from_cache(
            repository, name, cache_dir=self._folder, revision=revision, repo_type=_kind(what)
        )
        return Path(found) if isinstance(found, str) else None

    def _path(self, client: Client, *, what: str, repository: str, revision: str, name: str, watch: Any) -> Path:
        """Of a file at a commit; what lies here is not asked for again."""
        here = self._here(client, what, repository, revision, name)
        if here is not None:
            return here
        words = f"{name} of the {SINGULAR[what]} {repository} at commit {revision}"
        if not self._most_bytes:
            raise _switched_off(words)
        try:
            client.probe()
            return Path(
                client.package.hf_hub_download(
                    repository,
                    name,
                    repo_type=_kind(what),
                    revision=revision,
                    cache_dir=self._folder,
                    endpoint=self._endpoint,
                    token=False,
                    tqdm_class=watch,
                )
            )
        except client.faults as error:
            raise TaskDataError(_advice(words, error)) from error


def _kind(what: str) -> str:
    return "model" if what == MODELS else "dataset"


def _chosen(wanted: Wanted, sizes: Mapping[str, int | None]) -> dict[str, int]:
    """Path -> bytes. Raises TaskDataError when nothing may be fetched, or not all that was named."""
    allowed = {name: size for name, size in sizes.items() if name.lower().endswith(INERT[wanted.what])}
    types = ", ".join(INERT[wanted.what])
    for name in wanted.files:
        if name not in sizes:
            raise TaskDataError(f"{wanted.in_words} has no file {name[:200]!a}. It has: {_listed(sizes)}.")
        if name not in allowed:
            raise TaskDataError(
                f"{name} of {wanted.in_words} is not fetched: a {SINGULAR[wanted.what]} may hold files that can "
                f"neither run nor hide anything: {types}. Of these it has: {_listed(allowed)}."
            )
    chosen = {name: allowed[name] for name in wanted.files or sorted(allowed)}
    if not chosen:
        raise TaskDataError(
            f"{wanted.in_words} has no file that may be fetched. Fetched are {types}; it has: {_listed(sizes)}. "
            "Choose another, or go on with what lies here."
        )
    if len(chosen) > MOST_FILES:
        raise TaskDataError(
            f"{wanted.in_words} has {len(chosen):,} files; at most {MOST_FILES} are fetched. Name those in `files`."
        )
    if wrong := next((name for name in chosen if wrong_path(f"{wanted.what}/{wanted.repository}/{name}.csv")), None):
        raise TaskDataError(f"{wrong[:200]!a} of {wanted.in_words} cannot be laid out as a file. Name others.")
    if unknown := next((name for name, size in chosen.items() if size is None), None):
        raise TaskDataError(f"The hub does not say how large {unknown} of {wanted.in_words} is. Name others.")
    return {name: size or 0 for name, size in chosen.items()}


def _listed(sizes: Mapping[str, int | None]) -> str:
    largest = sorted(sizes.items(), key=lambda item: -(item[1] or 0))
    named = [f"{name[:120]} ({in_bytes(size or 0)})" for name, size in largest[:NAMED]]
    more = f" and {len(largest) - NAMED} more" if len(largest) > NAMED else ""
    return ", ".join(named) + more if named else "none"


def _require_room(wanted: Wanted, chosen: Mapping[str, int], room: int, most: int) -> None:
    size = sum(chosen.values())
    if size > room:
        raise TaskDataError(
            f"{wanted.in_words} is too large: {in_bytes(size)}, and of the {in_bytes(most)} that one experiment may be "
            f"given (CONJECTURE_HUB_MIB) {in_bytes(max(room, 0))} are left. Name fewer of its files in `files`, or "
            f"choose a smaller one: {_listed(chosen)}."
        )


def _digest(path: Path, name: str, expected: str | None) -> str:
    """sha256. Raises TaskDataError for another file than is expected, or one that is not what it is called."""
    with path.open("rb") as file:
        beginning = file.read(8)
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
    for start, what in OTHERWISE.items():
        if beginning.startswith(start):
            raise TaskDataError(f"{name} is not fetched: whatever its name says, it is {what}. Name other files.")
    if expected is not None and found != expected:
        raise TaskDataError(
            f"{name} is not the file that is recorded: sha256 {found[:12]}, expected {expected[:12]}. Delete {path} in "
            "the home of the bot; it is fetched again."
        )
    return found


def _licence(info: Any) -> str:
    tags = [str(tag) for tag in info.tags or ()]
    return next((tag.removeprefix("license:")[:60] for tag in tags if tag.startswith("license:")), "not stated")


def _watch(most_bytes: int, stopped: Callable[[], bool]) -> Any:
    """A progress bar that shows nothing, and ends what is stopped, endless or, all of it together, larger than said."""
    bar: Any = importlib.import_module("tqdm").tqdm
    until, received = time.monotonic() + MOST_SECONDS, 0.0

    class Watch(bar):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float = 1) -> None:
            nonlocal received
            received += n
            if stopped():
                raise Interrupted
            if received > most_bytes:
                raise ValueError(f"more than {most_bytes:,} bytes came")
            if time.monotonic() > until:
                raise ValueError(f"it took longer than {MOST_SECONDS:g} s")

    return Watch


def _switched_off(name: str) -> TaskDataError:
    return TaskDataError(
        f"{name} cannot be fetched: this bot asks nobody outside (CONJECTURE_HUB_MIB is 0, or CONJECTURE_LITERATURE is "
        "own), and it is not here. Go on with what lies here."
    )


def _advice(name: str, error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403, 404):
        return (
            f"{name} was not found ({status}): there is none of that name, revision or file, or it is private or "
            "gated, and only public ones are fetched. Look for another with `search`."
        )
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return (
        f"{name} could not be fetched: {reason}. Without a network, go on with what lies here; or copy the folder "
        f"{FOLDER}/ of a CONJECTURE_HOME that has it."
    )
