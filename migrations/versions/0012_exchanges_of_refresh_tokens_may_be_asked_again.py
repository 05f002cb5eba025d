"""exchanges of refresh tokens may be asked again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column('sessions', sa.Column('sealed_token', sa.LargeBinary(), nullable=True))
    op.add_column('sessions', sa.Column('exchanged_at', sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f('sessions_exchanged_check'), 'sessions', '(sealed_token IS NULL) = (exchanged_at IS NULL)'
    )


def downgrade() -> None:
    """Take back."""
    op.drop_constraint(op.f('sessions_exchanged_check'), 'sessions', type_='check')
    op.drop_column('sessions', 'exchanged_at')
    op.drop_column('sessions', 'sealed_token')
