"""What every command and the server begin with: settings in, opened parts out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.embedded import embedded_postgres, embedded_valkey
from core.clock import Clock, system_clock
from core.errors import InputError
from core.settings import Recommendations, Settings
from database.session import Database, open_database

DATA_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Platform:
    """The servers and folders of one installation, opened.

    Attributes:
        settings: what the operator set.
        clock: the current moment.
        data_dir: the one folder that data lives under; it exists.
        database_url: where PostgreSQL is.
        database: PostgreSQL, opened.
        redis_url: where Redis or Valkey is; None when recommendations are off.
    """

    settings: Settings
    clock: Clock
    data_dir: Path
    database_url: str
    database: Database
    redis_url: str | None

    @property
    def lake_dir(self) -> Path:
        """Folder of the analytical lake."""
        return self.data_dir / "lake"

    @property
    def features_dir(self) -> Path:
        """Folder of the feature tables and of Feast's registry."""
        return self.data_dir / "features"

    @property
    def models_dir(self) -> Path:
        """Folder of the model releases."""
        return self.data_dir / "models"

    @property
    def training_dir(self) -> Path:
        """Folder of what a training that was interrupted keeps."""
        return self.data_dir / "training"

    @property
    def key_file(self) -> Path:
        """File of the key ring."""
        return self.settings.security.key_file or self.data_dir / "keys.json"


@asynccontextmanager
async def platform(settings: Settings, clock: Clock = system_clock) -> AsyncIterator[Platform]:
    """Open what the settings name, and start embedded servers in place of what they do not.

    Raises:
        InputError: the data folder cannot be used, or a URL cannot be read.
        UnavailableError: a server does not answer.
    """
    folder = _data_folder(settings.data_dir)
    async with AsyncExitStack() as stack:
        if settings.database_url is not None:
            database_url = settings.database_url.get_secret_value()
        else:
            database_url = stack.enter_context(embedded_postgres(folder / "postgres"))
        redis_url: str | None = None
        if settings.recommendations is not Recommendations.OFF:
            if settings.redis_url is not None:
                redis_url = settings.redis_url.get_secret_value()
            else:
                redis_url = stack.enter_context(embedded_valkey(folder / "valkey"))
        database = await stack.enter_async_context(open_database(database_url, settings.database))
        yield Platform(settings, clock, folder, database_url, database, redis_url)


def _data_folder(path: Path) -> Path:
    """Create the data folder, or check that this version can read it."""
    marker = path / "waymark.json"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if marker.exists():
            found = json.loads(marker.read_text(encoding="utf-8"))["format"]
        else:
            found = DATA_FORMAT
            marker.write_text(json.dumps({"format": DATA_FORMAT}), encoding="utf-8")
    except OSError as error:
        raise InputError(f"The data folder {path} cannot be used: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{marker} is damaged; it should hold the format of the data folder.") from error
    if found != DATA_FORMAT:
        raise InputError(
            f"The data folder {path} has format {found}, and this version reads format {DATA_FORMAT}: "
            "it was written by a newer Waymark. Upgrade, or use another --data-dir."
        )
    return path.resolve()
