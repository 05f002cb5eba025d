"""persisted operations, who has them and who uses them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0003'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('operations',
    sa.Column('id', sa.Text(), nullable=False, comment='what clients send; a sha256 is bare hexadecimal'),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False, comment='of the text, whatever the id is'),
    sa.Column('name', sa.Text(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('coordinates', postgresql.ARRAY(sa.Text()), nullable=False, comment='what of the schema it needs, such as `Course.title`'),
    sa.Column('registered_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('query', 'mutation', 'subscription')", name=op.f('operations_kind_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('operations_pkey'))
    )
    op.create_index('operations_sha256_idx', 'operations', ['sha256'], unique=False)
    op.create_table('operation_registrations',
    sa.Column('operation_id', sa.Text(), nullable=False),
    sa.Column('client', sa.Text(), nullable=False),
    sa.Column('client_version', sa.Text(), nullable=False),
    sa.Column('registered_by', sa.Text(), nullable=False),
    sa.Column('registered_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['operation_id'], ['operations.id'], name=op.f('operation_registrations_operation_id_fkey')),
    sa.PrimaryKeyConstraint('operation_id', 'client', 'client_version', name=op.f('operation_registrations_pkey'))
    )
    op.create_table('operation_usage',
    sa.Column('operation_id', sa.Text(), nullable=False),
    sa.Column('client', sa.Text(), nullable=False, comment='as the client calls itself'),
    sa.Column('client_version', sa.Text(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('first_used_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['operation_id'], ['operations.id'], name=op.f('operation_usage_operation_id_fkey')),
    sa.PrimaryKeyConstraint('operation_id', 'client', 'client_version', name=op.f('operation_usage_pkey'))
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table('operation_usage')
    op.drop_table('operation_registrations')
    op.drop_table('operations')
