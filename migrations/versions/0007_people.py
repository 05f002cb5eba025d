"""suspended and erased people"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('erasures',
    sa.Column('learner_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('learner_id', name=op.f('erasures_pkey'))
    )
    op.create_table('revocations',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=True),
    sa.Column('account_id', sa.BigInteger(), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('(session_id IS NULL) <> (account_id IS NULL)', name=op.f('revocations_one_of_both_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('revocations_pkey'))
    )
    op.create_index('revocations_revoked_at_idx', 'revocations', ['revoked_at'], unique=False)
    op.add_column(
        'accounts',
        sa.Column('suspension_reason', sa.Text(), nullable=True, comment='for administrators; null unless suspended'),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_column('accounts', 'suspension_reason')
    op.drop_index('revocations_revoked_at_idx', table_name='revocations')
    op.drop_table('revocations')
    op.drop_table('erasures')
