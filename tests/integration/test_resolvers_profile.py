"""What people do with their own account on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from typing_extensions import override

from core.errors import CommandError, UnauthenticatedError, UserErrorCode
from core.settings import SecuritySettings
from resolvers import profile, reviews, sessions
from resolvers.context import Context
from resolvers.profile import ChangePassword, UpdateProfile
from resolvers.reviews import ReviewCourse
from resolvers.sessions import SignIn
from security.passwords import Passwords
from tests.small_accounts import EMAIL, PASSWORD, Contexts
from tests.small_learning import COURSE_ID

NEW = "a battery of staples"


async def refused(act: Awaitable[Any]) -> CommandError:
    """Return a refusal."""
    with pytest.raises(CommandError) as error:
        await act
    return error.value


async def test_a_display_name_is_changed(learner: Context) -> None:
    """It is cleaned as at signing up; left out, it stays."""
    changed = await profile.update_profile(learner, UpdateProfile("  Ana Nova "))
    assert changed.viewer is not None
    assert ("Ana Nova", "Ana.Learner@example.com") == (changed.viewer.display_name, changed.viewer.email)
    same = await profile.update_profile(learner, UpdateProfile())
    assert changed.viewer == same.viewer
    assert UserErrorCode.REQUIRED == (await refused(profile.update_profile(learner, UpdateProfile(" ")))).code


async def test_a_changed_password_ends_the_other_sessions(learner: Context, strangers: Contexts) -> None:
    """The session that changed it goes on; the old password opens nothing any more."""
    other = (await sessions.sign_in(strangers(), SignIn(EMAIL, PASSWORD))).session
    assert other is not None
    mine = learner.identity
    assert mine is not None
    await profile.change_password(learner, ChangePassword(PASSWORD, NEW))
    tokens = learner.services.tokens
    assert mine == tokens.verify(tokens.issue(mine).text)
    with pytest.raises(UnauthenticatedError):
        tokens.verify(other.access_token)
    assert (
        UserErrorCode.INVALID_CREDENTIALS
        == (await refused(sessions.sign_in(strangers(), SignIn(EMAIL, PASSWORD)))).code
    )
    await sessions.sign_in(strangers(), SignIn(EMAIL, NEW))


async def test_a_password_is_changed_by_who_knows_it(learner: Context) -> None:
    """A wrong one is refused and counted as at signing in; a weak new one is refused at its field."""
    weak = await refused(profile.change_password(learner, ChangePassword(PASSWORD, "12345678")))
    assert (UserErrorCode.WEAK_PASSWORD, ("input", "newPassword")) == (weak.code, weak.field)
    for _ in range(10):
        wrong = await refused(profile.change_password(learner, ChangePassword("wrong password", NEW)))
        assert (UserErrorCode.INVALID_CREDENTIALS, ("input", "currentPassword")) == (wrong.code, wrong.field)
    limited = await refused(profile.change_password(learner, ChangePassword(PASSWORD, NEW)))
    assert UserErrorCode.RATE_LIMITED == limited.code


class Together(Passwords):
    """Hashes for two at a time, so that both have shown the old password before either has replaced it."""

    def __init__(self, settings: SecuritySettings) -> None:
        super().__init__(settings)
        self._both = asyncio.Barrier(2)

    @override
    async def hash(self, password: str) -> str:
        """Hash, and wait for the other."""
        hashed = await super().hash(password)
        async with asyncio.timeout(30):
            await self._both.wait()
        return hashed


async def test_of_two_password_changes_at_once_one_is_done(
    learner: Context, strangers: Contexts, security_settings: SecuritySettings
) -> None:
    """The other is told that somebody was faster, so nobody wonders which password holds."""
    other = strangers()
    await sessions.sign_in(other, SignIn(EMAIL, PASSWORD))
    together = Together(security_settings)
    for context in (learner, other):
        context.services = replace(context.services, passwords=together)
    wanted = [NEW, NEW + "!"]
    results = await asyncio.gather(
        *(
            profile.change_password(context, ChangePassword(PASSWORD, new))
            for context, new in zip((learner, other), wanted, strict=True)
        ),
        return_exceptions=True,
    )
    (lost,) = [place for place, result in enumerate(results) if isinstance(result, CommandError)]
    assert UserErrorCode.CONFLICT == getattr(results[lost], "code", None)
    await sessions.sign_in(strangers(), SignIn(EMAIL, wanted[1 - lost]))


async def test_an_export_holds_what_was_written(pupil: Context) -> None:
    """Account, enrollments, reviews and events are in one document, and no secret is."""
    await reviews.review_course(pupil, ReviewCourse(COURSE_ID, 4, "Clear and short"))
    data = (await profile.export_my_data(pupil)).data
    assert data is not None
    document = orjson.loads(data)
    assert pupil.identity is not None
    assert pupil.identity.learner_id == document["account"]["learnerId"]
    assert "@" in document["account"]["email"]
    assert [(4, "Clear and short")] == [(row["rating"], row["text"]) for row in document["reviews"]]
    assert [1] == [row["course_id"] for row in document["enrollments"]]
    assert {"enrolled", "course_reviewed"} <= {row["kind"] for row in document["events"]}
    assert {"sign_up", "enroll"} <= {row["action"] for row in document["auditTrail"]}
    assert [] == document["incomplete"]
    assert "argon2" not in data
