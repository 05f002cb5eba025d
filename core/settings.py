"""Everything that an operator may set, in one frozen class.

Read from the environment with the prefix `WAYMARK_` (and `WAYMARK_<PART>__<NAME>` inside a part). It is
constructed only in `app/` and handed down in parts; no other module reads the environment.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0)]


class Recommendations(StrEnum):
    """Whose `recommendedCourses` the model ranks: nobody's, nobody's while it is compared, a share's, everybody's."""

    OFF = "off"
    SHADOW = "shadow"
    PERCENT = "percent"
    ON = "on"


class OperationsMode(StrEnum):
    """Which documents may be run: any, any but without introspection, or only those that were registered."""

    OPEN = "open"
    APQ = "apq"
    TRUSTED_ONLY = "trusted-only"


class TelemetryExporter(StrEnum):
    """Where spans and metrics go."""

    OFF = "off"
    CONSOLE = "console"
    OTLP = "otlp"


class Part(BaseModel):
    """A group of settings, frozen like the whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(Part):
    """PostgreSQL: how many connections and how long a statement may take."""

    read_connections: int = Field(default=8, ge=2, description="Connections that queries share.")
    write_connections: int = Field(default=4, ge=1, description="Connections that mutations share.")
    statement_timeout: Seconds = Field(default=10.0, description="Seconds until PostgreSQL cancels a statement.")
    connect_timeout: Seconds = Field(default=5.0, description="Seconds to wait for a connection.")


class SecuritySettings(Part):
    """Tokens, passwords and the encryption of personal data."""

    key_file: Path | None = Field(default=None, description="Key ring; `<data-dir>/keys.json` when not given.")
    access_token_lifetime: Seconds = Field(default=900.0, description="Seconds that an access token is valid.")
    refresh_token_lifetime: Seconds = Field(default=30 * 86_400.0, description="Seconds a session may be idle.")
    refresh_repeats: float = Field(
        default=60.0,
        ge=0,
        description="Seconds in which an exchange of a refresh token may be asked again; 0 for never.",
    )
    password_memory_kib: int = Field(default=19_456, ge=8, description="argon2id memory, KiB (OWASP: 19456).")
    password_iterations: int = Field(default=2, ge=1, description="argon2id iterations.")


class GatewaySettings(Part):
    """What clients may send, and how long the gateway waits for them."""

    operations: OperationsMode | None = Field(
        default=None,
        description="`open`, `apq` or `trusted-only`; by default `up` is open, `serve` trusted-only.",
    )
    body_timeout: Seconds = Field(default=10.0, description="Seconds until the body of a request must have arrived.")
    batch_limit: int = Field(default=0, ge=0, le=50, description="Operations in one request; 0 refuses lists of them.")
    public_max_age: int = Field(
        default=300, ge=0, description="Most seconds that HTTP caches may keep an answer, whatever its fields allow."
    )
    operation_cost: int = Field(default=20_000, ge=0, description="What one operation may cost; 0 for no limit.")
    budget: int = Field(default=100_000, ge=0, description="Cost that a client may save up; 0 for no budgets.")
    budget_refill: float = Field(default=1_000.0, gt=0, description="Cost that a budget grows by in a second.")
    show_cost: bool = Field(default=True, description="Tell the cost of an operation in `extensions.cost`.")
    response_cache: bool = Field(default=True, description="Keep answers in Redis or Valkey as their fields allow.")
    cors_origins: str | None = Field(
        default=None, description="Other origins whose pages may call, separated by commas, or `*`; none by default."
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="Addresses and networks of proxies, separated by commas, whose `X-Forwarded-For` tells who calls; "
        "by default this machine.",
    )
    usage_interval: Seconds = Field(default=10.0, description="Seconds between writes of the usage of operations.")
    streams: int = Field(default=1_000, ge=0, description="WebSocket connections and event streams of one process.")
    subscriptions: int = Field(default=20, ge=1, description="Operations at once on one WebSocket connection.")
    stream_lifetime: Seconds = Field(
        default=3_600.0, description="Seconds until a WebSocket connection or event stream is ended; clients reconnect."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, given: str | None) -> str | None:
        """Refuse what is no address or network, names and `*` included: anybody could then say who they are."""
        for each in given.split(",") if given is not None else ():
            ip_network(each.strip())
        return given


class RankingSettings(Part):
    """How an answer of `recommendedCourses` is bounded in time and in age."""

    deadline: Seconds = Field(default=0.25, description="Seconds for the whole way of a recommendation.")
    refresh_interval: Seconds = Field(default=5.0, description="Seconds between looks for a new release or features.")
    stale_after: Seconds = Field(
        default=14 * 86_400.0, description="Age in seconds of the last materialization at which features are stale."
    )
    list_lifetime: Seconds = Field(default=1_800.0, description="Seconds that a learner's ranked list is kept.")
    exposure_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of the model's lists whose shown places are logged with features."
    )
    exploration_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of the learners on a day who are shown a new course; 0 for none."
    )
    diversity: float = Field(
        default=0.0, ge=0, le=1, description="Weight of varied topics against the ranking, from 0 (none) to 1."
    )


class QualitySettings(Part):
    """How strict the rules of metadata quality are."""

    blocking: str | None = Field(
        default=None, description="Rules that refuse publication instead of warning, by name, separated by commas."
    )


class TelemetrySettings(Part):
    """OpenTelemetry: off unless asked for."""

    exporter: TelemetryExporter = Field(default=TelemetryExporter.OFF, description="`off`, `console` or `otlp`.")
    endpoint: str | None = Field(default=None, description="OTLP/HTTP collector, such as `http://127.0.0.1:4318`.")
    sampling_ratio: float = Field(default=1.0, ge=0, le=1, description="Share of traces that are recorded.")


class Settings(BaseSettings):
    """The settings of one Waymark process."""

    model_config = SettingsConfigDict(
        env_prefix="WAYMARK_", env_nested_delimiter="__", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(default=Path(".waymark"), description="The one folder that data lives under.")
    database_url: SecretStr | None = Field(default=None, description="PostgreSQL; embedded when not given.")
    redis_url: SecretStr | None = Field(default=None, description="Redis or Valkey; embedded when not given.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    recommendations: Recommendations = Field(
        default=Recommendations.ON, description="`off`, `shadow`, `percent` or `on`."
    )
    recommendations_percent: float = Field(
        default=10.0, ge=0, le=100, description="Share of accounts that see the model's lists, with `percent`."
    )
    graphiql: bool = Field(default=True, description="Serve GraphiQL to browsers at `/graphql`.")
    database: DatabaseSettings = DatabaseSettings()
    gateway: GatewaySettings = GatewaySettings()
    security: SecuritySettings = SecuritySettings()
    ranking: RankingSettings = RankingSettings()
    quality: QualitySettings = QualitySettings()
    telemetry: TelemetrySettings = TelemetrySettings()
