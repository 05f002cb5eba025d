"""erasures that reach every copy"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        'erasures',
        sa.Column(
            'forgotten_at',
            sa.DateTime(timezone=True),
            nullable=True,
            comment='when a materialization last removed them from the copies, or found them gone; null before',
        ),
    )
    op.add_column('erasures', sa.Column('source', sa.Text(), nullable=True))
    op.add_column('erasures', sa.Column('source_index', sa.LargeBinary(), nullable=True))
    op.create_check_constraint(
        op.f('erasures_source_check'), 'erasures', '(source IS NULL) = (source_index IS NULL)'
    )
    op.create_index(
        'erasures_source_idx',
        'erasures',
        ['source'],
        unique=False,
        postgresql_where=sa.text('source IS NOT NULL'),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index('erasures_source_idx', table_name='erasures')
    op.drop_constraint(op.f('erasures_source_check'), 'erasures')
    for name in ('source_index', 'source', 'forgotten_at'):
        op.drop_column('erasures', name)
