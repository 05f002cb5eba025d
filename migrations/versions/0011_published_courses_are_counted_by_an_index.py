"""published courses are counted by an index"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index(
        'courses_published_idx',
        'courses',
        ['id'],
        unique=False,
        postgresql_where=sa.text("status = 'PUBLISHED'"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index(
        'courses_published_idx', table_name='courses', postgresql_where=sa.text("status = 'PUBLISHED'")
    )
