"""a release beside the live one"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

_CHECKS = {
    'trial': "trial IN ('shadow', 'canary')",
    'trial_status': "trial IS NULL OR status <> 'live'",
    'trial_canary': "(trial IS NOT DISTINCT FROM 'canary') = (trial_percent IS NOT NULL)",
    'trial_dates': '(trial IS NULL) = (trial_since IS NULL)',
    'trial_percent': 'trial_percent > 0 AND trial_percent <= 100',
}


def upgrade() -> None:
    """Apply."""
    op.add_column(
        'model_releases',
        sa.Column(
            'trial', sa.Text(), nullable=True, comment='how it is tried beside the live release; null when it is not'
        ),
    )
    op.add_column(
        'model_releases', sa.Column('trial_percent', sa.Float(), nullable=True, comment='of the learners, in a canary')
    )
    op.add_column('model_releases', sa.Column('trial_since', sa.DateTime(timezone=True), nullable=True))
    for name, condition in _CHECKS.items():
        op.create_check_constraint(op.f(f'model_releases_{name}_check'), 'model_releases', condition)
    op.create_index(
        'model_releases_trial_idx',
        'model_releases',
        [sa.text('(trial IS NOT NULL)')],
        unique=True,
        postgresql_where=sa.text('trial IS NOT NULL'),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index('model_releases_trial_idx', table_name='model_releases')
    for name in ('trial_since', 'trial_percent', 'trial'):
        op.drop_column('model_releases', name)
