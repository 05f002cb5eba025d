"""the first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


class TransactionId(UserDefinedType[str]):
    """PostgreSQL's `xid8`."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type's name in SQL."""
        return "xid8"


# The audit trail is append-only, whoever is connected.
_REFUSE_CHANGES = """
CREATE FUNCTION refuse_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$
"""
_AUDIT_TRIGGER = """
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_changes()
"""


def upgrade() -> None:
    """Apply."""
    op.create_table('audit_log',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_account_id', sa.BigInteger(), nullable=True, comment='null for the system and for signed-out callers'),
    sa.Column('action', sa.Text(), nullable=False, comment='the mutation or command, such as `enroll`'),
    sa.Column('subject_type', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Text(), nullable=True),
    sa.Column('outcome', sa.Text(), server_default='done', nullable=False, comment='`done` or a UserErrorCode'),
    sa.Column('request_id', sa.Uuid(), nullable=True, comment='correlates with logs and traces'),
    sa.Column('details', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False, comment='never personal data'),
    sa.PrimaryKeyConstraint('id', name=op.f('audit_log_pkey'))
    )
    op.create_index('audit_log_actor_idx', 'audit_log', ['actor_account_id', 'occurred_at'], unique=False)
    op.create_index('audit_log_subject_idx', 'audit_log', ['subject_type', 'subject_id', 'occurred_at'], unique=False)
    op.create_table('courses',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('source_id', sa.Text(), nullable=True),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('summary', sa.Text(), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('level', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False, comment='BCP 47 tag, lower case'),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('duration_minutes', sa.Integer(), server_default='0', nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False, comment='grows with every edit'),
    sa.Column('search', postgresql.TSVECTOR(), sa.Computed("setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', coalesce(summary, '')), 'B') || setweight(to_tsvector('simple', coalesce(description, '')), 'C')", persisted=True), nullable=True),
    sa.CheckConstraint("level IN ('BEGINNER', 'INTERMEDIATE', 'ADVANCED', 'ALL_LEVELS')", name=op.f('courses_level_check')),
    sa.CheckConstraint("status IN ('DRAFT', 'IN_REVIEW', 'PUBLISHED', 'ARCHIVED')", name=op.f('courses_status_check')),
    sa.CheckConstraint("status NOT IN ('PUBLISHED', 'ARCHIVED') OR published_at IS NOT NULL", name=op.f('courses_published_at_check')),
    sa.CheckConstraint('(source IS NULL) = (source_id IS NULL)', name=op.f('courses_source_check')),
    sa.CheckConstraint('duration_minutes >= 0', name=op.f('courses_duration_minutes_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('courses_pkey')),
    sa.UniqueConstraint('slug', name=op.f('courses_slug_key')),
    sa.UniqueConstraint('source', 'source_id', name=op.f('courses_source_source_id_key'))
    )
    op.create_index('courses_newest_idx', 'courses', ['published_at', 'id'], unique=False)
    op.create_index('courses_search_idx', 'courses', ['search'], unique=False, postgresql_using='gin')
    op.create_index('courses_title_idx', 'courses', ['title', 'id'], unique=False)
    op.create_table('events',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('transaction_id', TransactionId(), server_default=sa.text('pg_current_xact_id()'), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('learner_id', sa.BigInteger(), nullable=True),
    sa.Column('course_id', sa.BigInteger(), nullable=True),
    sa.Column('recommendation_id', sa.Uuid(), nullable=True),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('events_pkey'))
    )
    op.create_index('events_export_idx', 'events', ['transaction_id', 'id'], unique=False)
    op.create_index('events_learner_idx', 'events', ['learner_id', 'occurred_at'], unique=False)
    op.create_table('feature_materializations',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('features_as_of', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('row_counts', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='rows written, by feature view'),
    sa.PrimaryKeyConstraint('id', name=op.f('feature_materializations_pkey'))
    )
    op.create_table('instructors',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('source_id', sa.Text(), nullable=True),
    sa.Column('display_name', sa.Text(), nullable=False),
    sa.CheckConstraint('(source IS NULL) = (source_id IS NULL)', name=op.f('instructors_source_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('instructors_pkey')),
    sa.UniqueConstraint('source', 'source_id', name=op.f('instructors_source_source_id_key'))
    )
    op.create_table('learners',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('source_id', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('(source IS NULL) = (source_id IS NULL)', name=op.f('learners_source_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('learners_pkey')),
    sa.UniqueConstraint('source', 'source_id', name=op.f('learners_source_source_id_key'))
    )
    op.create_table('model_releases',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('version', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('location', sa.Text(), nullable=False, comment='folder below the models folder'),
    sa.Column('digest', sa.Text(), nullable=False, comment="sha256 of the release's manifest"),
    sa.Column('feature_service', sa.Text(), nullable=False),
    sa.Column('metrics', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('training_rows', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('promoted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status IN ('candidate', 'live', 'retired')", name=op.f('model_releases_status_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('model_releases_pkey')),
    sa.UniqueConstraint('version', name=op.f('model_releases_version_key'))
    )
    op.create_index('model_releases_live_idx', 'model_releases', ['status'], unique=True, postgresql_where=sa.text("status = 'live'"))
    op.create_table('platform',
    sa.Column('singleton', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('simulated', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('name', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('singleton', name=op.f('platform_one_row_check')),
    sa.PrimaryKeyConstraint('singleton', name=op.f('platform_pkey'))
    )
    op.create_table('skills',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('skills_pkey')),
    sa.UniqueConstraint('name', name=op.f('skills_name_key'))
    )
    op.create_table('topics',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('parent_id', sa.BigInteger(), nullable=True),
    sa.CheckConstraint('parent_id <> id', name=op.f('topics_not_its_own_parent_check')),
    sa.ForeignKeyConstraint(['parent_id'], ['topics.id'], name=op.f('topics_parent_id_fkey'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('topics_pkey')),
    sa.UniqueConstraint('slug', name=op.f('topics_slug_key'))
    )
    op.create_index(op.f('topics_parent_id_idx'), 'topics', ['parent_id'], unique=False)
    op.create_table('accounts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('learner_id', sa.BigInteger(), nullable=False),
    sa.Column('encryption_key_id', sa.Text(), nullable=False, comment='key that both ciphertexts are under'),
    sa.Column('email_ciphertext', sa.LargeBinary(), nullable=False),
    sa.Column('email_index', sa.LargeBinary(), nullable=False),
    sa.Column('display_name_ciphertext', sa.LargeBinary(), nullable=False),
    sa.Column('password_hash', sa.Text(), nullable=False, comment='argon2id, PHC string'),
    sa.Column('roles', sa.ARRAY(sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['learner_id'], ['learners.id'], name=op.f('accounts_learner_id_fkey'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('accounts_pkey')),
    sa.UniqueConstraint('email_index', name=op.f('accounts_email_index_key')),
    sa.UniqueConstraint('learner_id', name=op.f('accounts_learner_id_key'))
    )
    op.create_index('accounts_encryption_key_id_idx', 'accounts', ['encryption_key_id'], unique=False)
    op.create_table('course_instructors',
    sa.Column('course_id', sa.BigInteger(), nullable=False),
    sa.Column('instructor_id', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.SmallInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('course_instructors_course_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['instructor_id'], ['instructors.id'], name=op.f('course_instructors_instructor_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('course_id', 'instructor_id', name=op.f('course_instructors_pkey'))
    )
    op.create_index(op.f('course_instructors_instructor_id_idx'), 'course_instructors', ['instructor_id'], unique=False)
    op.create_table('course_prerequisites',
    sa.Column('course_id', sa.BigInteger(), nullable=False),
    sa.Column('prerequisite_id', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('course_id <> prerequisite_id', name=op.f('course_prerequisites_not_its_own_prerequisite_check')),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('course_prerequisites_course_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['prerequisite_id'], ['courses.id'], name=op.f('course_prerequisites_prerequisite_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('course_id', 'prerequisite_id', name=op.f('course_prerequisites_pkey'))
    )
    op.create_index(op.f('course_prerequisites_prerequisite_id_idx'), 'course_prerequisites', ['prerequisite_id'], unique=False)
    op.create_table('course_skills',
    sa.Column('course_id', sa.BigInteger(), nullable=False),
    sa.Column('skill_id', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.SmallInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('course_skills_course_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['skill_id'], ['skills.id'], name=op.f('course_skills_skill_id_fkey'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('course_id', 'skill_id', name=op.f('course_skills_pkey'))
    )
    op.create_index(op.f('course_skills_skill_id_idx'), 'course_skills', ['skill_id'], unique=False)
    op.create_table('course_statistics',
    sa.Column('course_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('enrollment_count', sa.Integer(), server_default='0', nullable=False),
    sa.CheckConstraint('enrollment_count >= 0', name=op.f('course_statistics_enrollment_count_check')),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('course_statistics_course_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('course_id', name=op.f('course_statistics_pkey'))
    )
    op.create_index('course_statistics_popularity_idx', 'course_statistics', ['enrollment_count', 'course_id'], unique=False)
    op.create_table('course_topics',
    sa.Column('course_id', sa.BigInteger(), nullable=False),
    sa.Column('topic_id', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.SmallInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('course_topics_course_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['topic_id'], ['topics.id'], name=op.f('course_topics_topic_id_fkey'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('course_id', 'topic_id', name=op.f('course_topics_pkey'))
    )
    op.create_index(op.f('course_topics_topic_id_idx'), 'course_topics', ['topic_id'], unique=False)
    op.create_table('enrollments',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('learner_id', sa.BigInteger(), nullable=False),
    sa.Column('course_id', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('progress', sa.Float(), server_default='0', nullable=False, comment='share of the course, 0 to 1'),
    sa.Column('enrolled_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('recommendation_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("status IN ('ACTIVE', 'COMPLETED', 'WITHDRAWN')", name=op.f('enrollments_status_check')),
    sa.CheckConstraint('progress BETWEEN 0 AND 1', name=op.f('enrollments_progress_check')),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('enrollments_course_id_fkey'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['learner_id'], ['learners.id'], name=op.f('enrollments_learner_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('enrollments_pkey')),
    sa.UniqueConstraint('learner_id', 'course_id', name=op.f('enrollments_learner_id_course_id_key'))
    )
    op.create_index(op.f('enrollments_course_id_idx'), 'enrollments', ['course_id'], unique=False)
    op.create_index('enrollments_history_idx', 'enrollments', ['learner_id', 'enrolled_at', 'id'], unique=False)
    op.create_table('learning_preferences',
    sa.Column('learner_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('goals', sa.ARRAY(sa.Text()), nullable=False),
    sa.Column('level', sa.Text(), nullable=False),
    sa.Column('weekly_minutes', sa.Integer(), nullable=True),
    sa.Column('languages', sa.ARRAY(sa.Text()), nullable=False, comment='BCP 47 tags, lower case, most wanted first'),
    sa.Column('saved_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("level IN ('BEGINNER', 'INTERMEDIATE', 'ADVANCED', 'ALL_LEVELS')", name=op.f('learning_preferences_level_check')),
    sa.CheckConstraint('weekly_minutes BETWEEN 1 AND 10080', name=op.f('learning_preferences_weekly_minutes_check')),
    sa.ForeignKeyConstraint(['learner_id'], ['learners.id'], name=op.f('learning_preferences_learner_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('learner_id', name=op.f('learning_preferences_pkey'))
    )
    op.create_table('learning_preference_topics',
    sa.Column('learner_id', sa.BigInteger(), nullable=False),
    sa.Column('topic_id', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.SmallInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['learner_id'], ['learning_preferences.learner_id'], name=op.f('learning_preference_topics_learner_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['topic_id'], ['topics.id'], name=op.f('learning_preference_topics_topic_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('learner_id', 'topic_id', name=op.f('learning_preference_topics_pkey'))
    )
    op.create_index(op.f('learning_preference_topics_topic_id_idx'), 'learning_preference_topics', ['topic_id'], unique=False)
    op.create_table('sessions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('refresh_token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('sessions_account_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('sessions_pkey')),
    sa.UniqueConstraint('refresh_token_hash', name=op.f('sessions_refresh_token_hash_key'))
    )
    op.create_index(op.f('sessions_account_id_idx'), 'sessions', ['account_id'], unique=False)
    op.execute(_REFUSE_CHANGES)
    op.execute(_AUDIT_TRIGGER)
    op.execute("INSERT INTO platform (id, created_at) VALUES (gen_random_uuid(), now())")


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f('sessions_account_id_idx'), table_name='sessions')
    op.drop_table('sessions')
    op.drop_index(op.f('learning_preference_topics_topic_id_idx'), table_name='learning_preference_topics')
    op.drop_table('learning_preference_topics')
    op.drop_table('learning_preferences')
    op.drop_index('enrollments_history_idx', table_name='enrollments')
    op.drop_index(op.f('enrollments_course_id_idx'), table_name='enrollments')
    op.drop_table('enrollments')
    op.drop_index(op.f('course_topics_topic_id_idx'), table_name='course_topics')
    op.drop_table('course_topics')
    op.drop_index('course_statistics_popularity_idx', table_name='course_statistics')
    op.drop_table('course_statistics')
    op.drop_index(op.f('course_skills_skill_id_idx'), table_name='course_skills')
    op.drop_table('course_skills')
    op.drop_index(op.f('course_prerequisites_prerequisite_id_idx'), table_name='course_prerequisites')
    op.drop_table('course_prerequisites')
    op.drop_index(op.f('course_instructors_instructor_id_idx'), table_name='course_instructors')
    op.drop_table('course_instructors')
    op.drop_index('accounts_encryption_key_id_idx', table_name='accounts')
    op.drop_table('accounts')
    op.drop_index(op.f('topics_parent_id_idx'), table_name='topics')
    op.drop_table('topics')
    op.drop_table('skills')
    op.drop_table('platform')
    op.drop_index('model_releases_live_idx', table_name='model_releases', postgresql_where=sa.text("status = 'live'"))
    op.drop_table('model_releases')
    op.drop_table('learners')
    op.drop_table('instructors')
    op.drop_table('feature_materializations')
    op.drop_index('events_learner_idx', table_name='events')
    op.drop_index('events_export_idx', table_name='events')
    op.drop_table('events')
    op.drop_index('courses_title_idx', table_name='courses')
    op.drop_index('courses_search_idx', table_name='courses', postgresql_using='gin')
    op.drop_index('courses_newest_idx', table_name='courses')
    op.drop_table('courses')
    op.drop_index('audit_log_subject_idx', table_name='audit_log')
    op.drop_index('audit_log_actor_idx', table_name='audit_log')
    op.drop_table('audit_log')
    op.execute("DROP FUNCTION refuse_changes()")
