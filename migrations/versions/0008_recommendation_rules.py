"""what staff wants of recommendations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

# Delivered when the transaction commits; a transaction that changes much sends one notification.
_TELL = """
CREATE FUNCTION tell_recommendation_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('waymark_changes', 'recommendation-rules');
    RETURN NULL;
END
$$
"""
_TOLD_OF = {
    'recommendation_rules': 'INSERT OR UPDATE OR DELETE OR TRUNCATE',
    'courses': 'INSERT OR DELETE OR UPDATE OF status, language',
    'course_prerequisites': 'INSERT OR UPDATE OR DELETE',
    'course_topics': 'INSERT OR UPDATE OR DELETE',
    'topics': 'UPDATE OF parent_id',
}


def upgrade() -> None:
    """Apply."""
    op.create_table('recommendation_exposures',
    sa.Column('recommendation_id', sa.Uuid(), nullable=False),
    sa.Column('place', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('learner_id', sa.BigInteger(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['learner_id'], ['learners.id'], name=op.f('recommendation_exposures_learner_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recommendation_id', 'place', name=op.f('recommendation_exposures_pkey'))
    )
    op.create_index(op.f('recommendation_exposures_learner_id_idx'), 'recommendation_exposures', ['learner_id'], unique=False)
    op.create_index('recommendation_exposures_recorded_at_idx', 'recommendation_exposures', ['recorded_at'], unique=False)
    op.create_table('recommendation_rules',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('course_id', sa.BigInteger(), nullable=True),
    sa.Column('topic_id', sa.BigInteger(), nullable=True),
    sa.Column('surface', sa.Text(), nullable=True, comment='null for everywhere'),
    sa.Column('around_course_id', sa.BigInteger(), nullable=True),
    sa.Column('around_topic_id', sa.BigInteger(), nullable=True),
    sa.Column('place', sa.SmallInteger(), nullable=True, comment='of a pinned course, from 1'),
    sa.Column('weight', sa.Float(), nullable=True, comment='of a boost: above 1 moves up, below 1 moves down'),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('note', sa.Text(), nullable=True, comment='why, for other staff'),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('PIN', 'BOOST', 'EXCLUSION')", name=op.f('recommendation_rules_kind_check')),
    sa.CheckConstraint("surface IN ('HOME', 'COURSE_PAGE', 'AFTER_COMPLETION')", name=op.f('recommendation_rules_surface_check')),
    sa.CheckConstraint('(course_id IS NULL) <> (topic_id IS NULL)', name=op.f('recommendation_rules_target_check')),
    sa.CheckConstraint("(kind = 'PIN') = (place IS NOT NULL) AND (kind <> 'PIN' OR course_id IS NOT NULL)", name=op.f('recommendation_rules_pin_check')),
    sa.CheckConstraint("(kind = 'BOOST') = (weight IS NOT NULL)", name=op.f('recommendation_rules_boost_check')),
    sa.CheckConstraint('place BETWEEN 1 AND 50', name=op.f('recommendation_rules_place_check')),
    sa.CheckConstraint('weight BETWEEN 0.1 AND 10.0', name=op.f('recommendation_rules_weight_check')),
    sa.CheckConstraint('ends_at > starts_at', name=op.f('recommendation_rules_dates_check')),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('recommendation_rules_course_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['topic_id'], ['topics.id'], name=op.f('recommendation_rules_topic_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['around_course_id'], ['courses.id'], name=op.f('recommendation_rules_around_course_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['around_topic_id'], ['topics.id'], name=op.f('recommendation_rules_around_topic_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('recommendation_rules_pkey'))
    )
    for column in ('course_id', 'topic_id', 'around_course_id', 'around_topic_id'):
        op.create_index(op.f(f'recommendation_rules_{column}_idx'), 'recommendation_rules', [column], unique=False)
    op.create_index('recommendation_rules_ends_at_idx', 'recommendation_rules', ['ends_at'], unique=False)
    op.execute(_TELL)
    for table, when in _TOLD_OF.items():
        op.execute(
            f'CREATE TRIGGER tell_recommendation_rules AFTER {when} ON {table} '
            'FOR EACH STATEMENT EXECUTE FUNCTION tell_recommendation_rules()'
        )


def downgrade() -> None:
    """Take back."""
    for table in _TOLD_OF:
        op.execute(f'DROP TRIGGER tell_recommendation_rules ON {table}')
    op.execute('DROP FUNCTION tell_recommendation_rules()')
    op.drop_table('recommendation_rules')
    op.drop_table('recommendation_exposures')
