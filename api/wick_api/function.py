"""The Function resource as the parts see it: parsed once at the edge, frozen, defaults filled in.

The CRD in ``crds/`` is the source of truth for shape and defaults; this model repeats the defaults so that files read
by ``wick up``, which no API server has defaulted, mean the same. A test holds the two equal, and `parse` refuses what
the CRD's rules refuse, naming the field.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from wick_api import names, quantity, reference
from wick_api.duration import Duration
from wick_api.names import Key
from wick_api.scale import Scale, scale_rules

Manifest = Mapping[str, Any]
"""A Kubernetes object, or a part of one that Kubewick passes on without reading."""

START_TIMEOUT = Duration(300)
"""Import and `init` together, where the spec does not say."""


class SpecInvalid(ValueError):
    """A Function its author must change; the message names the field."""


class ConfigMapSource(Struct, frozen=True, rename="camel", kw_only=True):
    name: str


class Source(Struct, frozen=True, rename="camel", kw_only=True):
    inline: dict[str, str] | None = None
    config_map: ConfigMapSource | None = None


class Mount(Struct, frozen=True, rename="camel", kw_only=True):
    name: str
    mount_path: str
    optional: bool = False


class Route(Struct, frozen=True, rename="camel", kw_only=True):
    host: str = ""
    path: str = "/"
    methods: tuple[str, ...] = ()


class Lambda(Struct, frozen=True, rename="camel", kw_only=True):
    """Of handlers written for AWS Lambda."""

    event: Literal["url", "api-v1", "api-v2", "alb"] = "url"


class Slo(Struct, frozen=True, rename="camel", kw_only=True):
    """What users may expect; percentages are above 0 and below 100."""

    availability: Annotated[float, Meta(gt=0, lt=100)] | None = None
    latency: Duration | None = None
    latency_percentage: Annotated[float, Meta(gt=0, lt=100)] = 99.0


class FunctionSpec(Struct, frozen=True, rename="camel", kw_only=True):
    source: Source | None = None
    image: str | None = None
    runtime: str = "python"
    handler: str = "main:handle"
    interface: Literal["auto", "native", "asgi", "wsgi", "cloudevent", "lambda", "functions-framework"] = "auto"
    lambda_: Lambda | None = field(default=None, name="lambda")
    env: tuple[Manifest, ...] = ()
    env_from: tuple[Manifest, ...] = ()
    resources: Manifest = field(default_factory=dict)
    secrets: tuple[Mount, ...] = ()
    config_maps: tuple[Mount, ...] = ()
    service_account_name: str | None = None
    image_pull_secrets: tuple[Manifest, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Manifest, ...] = ()
    priority_class_name: str | None = None
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 10
    timeout: Duration = Duration(60)
    start_timeout: Duration = START_TIMEOUT
    max_request_bytes: Annotated[int, Meta(ge=0)] = 10 * 1024 * 1024
    debug: bool = False
    scale: Scale = Scale()
    visibility: Literal["cluster", "public"] = "cluster"
    routes: tuple[Route, ...] = ()
    slo: Slo | None = None
    revision_history_limit: Annotated[int, Meta(ge=0, le=100)] = 5
    rollback_to: str | None = None


class FunctionMetadata(Struct, frozen=True, rename="camel", kw_only=True):
    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    deletion_timestamp: str | None = None
    finalizers: tuple[str, ...] = ()


class Function(Struct, frozen=True, rename="camel", kw_only=True):
    """One Function; `status` is what the operator last wrote, unread here."""

    metadata: FunctionMetadata
    spec: FunctionSpec
    status: Manifest = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return Key(self.metadata.namespace, self.metadata.name)

    @property
    def public(self) -> bool:
        """Whether the routers' public listeners serve it too."""
        return self.spec.visibility == "public"


def parse(manifest: Manifest) -> Function:
    """Read a Function from a decoded manifest; `SpecInvalid` names the field that is wrong."""
    if manifest.get("apiVersion") != names.API_VERSION or manifest.get("kind") != names.KIND:
        raise SpecInvalid(f"apiVersion and kind must be {names.API_VERSION} and {names.KIND}")
    try:
        function = msgspec.convert(manifest, Function, dec_hook=decode_scalar, strict=True)
    except msgspec.ValidationError as error:
        raise SpecInvalid(_in_the_users_words(str(error))) from error
    _check(function)
    return function


def decode_scalar(kind: type, value: Any) -> Any:
    """Tell msgspec how to read the scalars it does not know; for every decoder that meets a Function."""
    if kind is Duration:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a duration; write it with a unit, like 30s")
        return Duration.parse(value)
    raise NotImplementedError(f"{kind.__name__} cannot be read from {type(value).__name__}")


def _in_the_users_words(message: str) -> str:
    """Turn msgspec's ``… - at `$.spec.scale.max` `` around: field first."""
    text, _, path = message.partition(" - at `$.")
    return f"{path.rstrip('`')}: {text}" if path else text


_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_HANDLER = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*"
)
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_REVISION = re.compile(r"[0-9a-f]{10}")
_KEPT_PATHS = ("/function", "/tmp", "/proc", "/sys", "/dev")  # noqa: S108 - names of mounts, nothing is written

MAX_SOURCE_BYTES = 900_000
"""All files together: what fits a ConfigMap (1 MiB) beside the revision's record."""
MAX_TIMEOUT = Duration(24 * 3600)
MAX_FILE_NAME = 200


def _check(function: Function) -> None:
    """Refuse what the CRD's CEL rules refuse; one line a rule, in the same order."""
    name, spec = function.metadata.name, function.spec
    for wrong, message in (
        (not _NAME.fullmatch(name), f"metadata.name: {name!r} must be lower case letters, digits and '-'"),
        (len(name) > names.MAX_NAME, f"metadata.name: must be at most {names.MAX_NAME} characters"),
        (
            name.startswith(names.RESERVED_NAMES),
            f"metadata.name: {name!r} is reserved; kubewick-pool-* and kubewick-dormant-* are the warm pools'",
        ),
        (
            (spec.source is None) == (spec.image is None),
            "spec: set exactly one of source.inline, source.configMap and image",
        ),
        (
            spec.source is not None and (spec.source.inline is None) == (spec.source.config_map is None),
            "spec.source: set exactly one of inline and configMap",
        ),
        (
            not _HANDLER.fullmatch(spec.handler),
            f"spec.handler: {spec.handler!r} must be written module:attribute, for instance main:handle",
        ),
        (
            spec.lambda_ is not None and spec.interface not in ("auto", "lambda"),
            f"spec.lambda: is for spec.interface lambda (or auto), not {spec.interface}",
        ),
        *scale_rules(spec.scale),
        (not 0 < spec.timeout <= MAX_TIMEOUT, "spec.timeout: must be more than 0s and at most 24h"),
        (not 0 < spec.start_timeout <= MAX_TIMEOUT, "spec.startTimeout: must be more than 0s and at most 24h"),
        (
            spec.rollback_to is not None and not _REVISION.fullmatch(spec.rollback_to),
            "spec.rollbackTo: must be one of status.revisions, ten hexadecimal digits",
        ),
    ):
        if wrong:
            raise SpecInvalid(message)
    if misnamed := reference.problem(spec):
        raise SpecInvalid(misnamed)
    _check_resources(spec)
    _check_environment(spec)
    _check_mounts(spec)
    if spec.source and spec.source.inline is not None:
        check_files(spec.source.inline, "spec.source.inline")


def _check_resources(spec: FunctionSpec) -> None:
    for part in ("requests", "limits"):
        amounts = spec.resources.get(part, {})
        if not isinstance(amounts, Mapping):
            raise SpecInvalid(f"spec.resources.{part}: must name resources, such as memory: 128Mi")
        for name, amount in amounts.items():
            if problem := quantity.problem(amount):
                raise SpecInvalid(f"spec.resources.{part}.{name}: {problem}")


def _check_environment(spec: FunctionSpec) -> None:
    seen = set()
    for variable in spec.env:
        name = str(variable.get("name", ""))
        if name in names.RESERVED_ENV or name.startswith(names.RESERVED_ENV_PREFIX):
            raise SpecInvalid(f"spec.env: {name} is reserved; PORT and KUBEWICK_* are set by Kubewick")
        if not _ENV_NAME.fullmatch(name):
            raise SpecInvalid(f"spec.env: {name!r} is not a variable name")
        if name in seen:
            raise SpecInvalid(f"spec.env: {name} is set twice")
        if "value" in variable and "valueFrom" in variable:
            raise SpecInvalid(f"spec.env: {name} has both value and valueFrom")
        seen.add(name)


def _check_mounts(spec: FunctionSpec) -> None:
    seen = set()
    for field_name, mounts in (("secrets", spec.secrets), ("configMaps", spec.config_maps)):
        for mount in mounts:
            path = mount.mount_path
            if not path.startswith("/") or path == "/" or ":" in path or ".." in path:
                raise SpecInvalid(
                    f"spec.{field_name}: mountPath {path!r} must be an absolute folder without ':' and '..'"
                )
            if any(path == kept or path.startswith(f"{kept}/") for kept in _KEPT_PATHS):
                raise SpecInvalid(
                    f"spec.{field_name}: mountPath {path!r} must not be {', '.join(_KEPT_PATHS)} or below"
                )
            if path.rstrip("/") in seen:
                raise SpecInvalid(f"spec.{field_name}: mountPath {path!r} is used twice")
            seen.add(path.rstrip("/"))


def check_files(files: Mapping[str, str], where: str) -> None:
    """Refuse source no instance could be given; `where` is the field to blame. Also for a ConfigMap's content."""
    if not files:
        raise SpecInvalid(f"{where}: has no file")
    for file in files:
        if not _FILE.fullmatch(file) or len(file) > MAX_FILE_NAME:
            raise SpecInvalid(f"{where}: {file!r} is not a relative file name")
    size = sum(len(text.encode()) for text in files.values())
    if size > MAX_SOURCE_BYTES:
        raise SpecInvalid(f"{where}: {size} bytes are more than {MAX_SOURCE_BYTES}; build an image instead")
