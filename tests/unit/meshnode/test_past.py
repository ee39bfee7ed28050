"""Times as people write them for `history --since` and `rollback --to`."""

from datetime import datetime, timedelta, timezone

import pytest

from meshnode.cli.past import moment
from meshnode.errors import UsageError

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 23, 14, 30, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("14:02", NOW.replace(minute=2)),
        ("14:02:07", NOW.replace(minute=2, second=7)),
        ("23:59", datetime(2026, 11, 22, 23, 59, tzinfo=ZONE)),
        ("2026-11-20T08:00", datetime(2026, 11, 20, 8, tzinfo=ZONE)),
        ("2026-11-20 08:00", datetime(2026, 11, 20, 8, tzinfo=ZONE)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2d", NOW - timedelta(days=2)),
    ],
)
def test_a_time_is_that_of_this_machine_and_past(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize(
    "text", ["25:99", "tomorrow", "2026-13-01", "", "14", "1:2", "99999999999d", "-", "\x1b[2J"]
)
def test_what_is_no_time_is_told_with_the_forms_there_are(text: str) -> None:
    sentence = r"is no time: write 14:02, 2026-11-23T14:02, or 10m for ten minutes ago"
    with pytest.raises(UsageError, match=sentence) as raised:
        moment(text, NOW)
    assert "\x1b" not in str(raised.value)
