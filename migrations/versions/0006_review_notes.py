"""notes of reviews"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        'course_revisions',
        sa.Column('review_note', sa.Text(), nullable=True, comment='why it was returned to its authors; null once it is submitted again'),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_column('course_revisions', 'review_note')
