"""feedback on recommendations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('recommendation_feedback',
    sa.Column('learner_id', sa.BigInteger(), nullable=False),
    sa.Column('recommendation_id', sa.Uuid(), nullable=False),
    sa.Column('course_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('IMPRESSION', 'CLICK', 'DISMISSAL')", name=op.f('recommendation_feedback_kind_check')),
    sa.ForeignKeyConstraint(['learner_id'], ['learners.id'], name=op.f('recommendation_feedback_learner_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('learner_id', 'recommendation_id', 'course_id', 'kind', name=op.f('recommendation_feedback_pkey'))
    )
    op.create_index('recommendation_feedback_recorded_at_idx', 'recommendation_feedback', ['recorded_at'], unique=False)
    op.create_table('recommendation_dismissals',
    sa.Column('learner_id', sa.BigInteger(), nullable=False),
    sa.Column('course_id', sa.BigInteger(), nullable=False),
    sa.Column('dismissed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('recommendation_dismissals_course_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['learner_id'], ['learners.id'], name=op.f('recommendation_dismissals_learner_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('learner_id', 'course_id', name=op.f('recommendation_dismissals_pkey'))
    )
    op.create_index(op.f('recommendation_dismissals_course_id_idx'), 'recommendation_dismissals', ['course_id'], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f('recommendation_dismissals_course_id_idx'), table_name='recommendation_dismissals')
    op.drop_table('recommendation_dismissals')
    op.drop_index('recommendation_feedback_recorded_at_idx', table_name='recommendation_feedback')
    op.drop_table('recommendation_feedback')
