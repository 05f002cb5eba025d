"""content, attempts, progress and reviews"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

# Two transactions that each add half of a cycle take turns on the lock, so the later one sees both halves. The name
# of the constraint is what the code recognizes.
_REFUSE_CYCLES = """
CREATE FUNCTION refuse_prerequisite_cycles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7236916);
    IF EXISTS (
        WITH RECURSIVE reached (start, course_id) AS (
            SELECT course_id, prerequisite_id FROM added
            UNION
            SELECT reached.start, edge.prerequisite_id
            FROM reached JOIN course_prerequisites AS edge ON edge.course_id = reached.course_id
        )
        SELECT FROM reached WHERE start = course_id
    ) THEN
        RAISE EXCEPTION 'courses would be prerequisites of themselves'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'course_prerequisites_acyclic_check';
    END IF;
    RETURN NULL;
END
$$
"""
_CYCLE_TRIGGER = """
CREATE TRIGGER course_prerequisites_are_acyclic AFTER INSERT ON course_prerequisites
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_prerequisite_cycles()
"""


def upgrade() -> None:
    """Apply."""
    op.create_table('course_revisions',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('course_id', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False, comment='1 for the first revision of a course'),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('summary', sa.Text(), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('level', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False, comment='BCP 47 tag, lower case'),
    sa.Column('duration_minutes', sa.Integer(), server_default='0', nullable=False),
    sa.Column('topic_ids', sa.ARRAY(sa.BigInteger()), nullable=False, comment='most important first'),
    sa.Column('skills', sa.ARRAY(sa.Text()), nullable=False, comment='names, most important first'),
    sa.Column('prerequisite_ids', sa.ARRAY(sa.BigInteger()), nullable=False, comment='courses'),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("level IN ('BEGINNER', 'INTERMEDIATE', 'ADVANCED', 'ALL_LEVELS')", name=op.f('course_revisions_level_check')),
    sa.CheckConstraint("status IN ('DRAFT', 'IN_REVIEW', 'PUBLISHED', 'SUPERSEDED')", name=op.f('course_revisions_status_check')),
    sa.CheckConstraint("status NOT IN ('PUBLISHED', 'SUPERSEDED') OR published_at IS NOT NULL", name=op.f('course_revisions_published_at_check')),
    sa.CheckConstraint('duration_minutes >= 0', name=op.f('course_revisions_duration_minutes_check')),
    sa.CheckConstraint('number >= 1', name=op.f('course_revisions_number_check')),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('course_revisions_course_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('course_revisions_pkey')),
    sa.UniqueConstraint('course_id', 'number', name=op.f('course_revisions_course_id_number_key'))
    )
    op.create_index('course_revisions_open_idx', 'course_revisions', ['course_id'], unique=True, postgresql_where=sa.text("status IN ('DRAFT', 'IN_REVIEW')"))
    op.create_index('course_revisions_published_idx', 'course_revisions', ['course_id'], unique=True, postgresql_where=sa.text("status = 'PUBLISHED'"))
    op.create_table('progress_reports',
    sa.Column('learner_id', sa.BigInteger(), nullable=False),
    sa.Column('client_event_id', sa.Text(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['learner_id'], ['learners.id'], name=op.f('progress_reports_learner_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('learner_id', 'client_event_id', name=op.f('progress_reports_pkey'))
    )
    op.create_index('progress_reports_recorded_at_idx', 'progress_reports', ['recorded_at'], unique=False)
    op.create_table('reviews',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('course_id', sa.BigInteger(), nullable=False),
    sa.Column('learner_id', sa.BigInteger(), nullable=False),
    sa.Column('rating', sa.SmallInteger(), nullable=False),
    sa.Column('text', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('hidden_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('hidden_by', sa.BigInteger(), nullable=True, comment='account of the moderator'),
    sa.Column('hidden_reason', sa.Text(), nullable=True),
    sa.CheckConstraint('(hidden_at IS NULL) = (hidden_by IS NULL)', name=op.f('reviews_hidden_check')),
    sa.CheckConstraint('rating BETWEEN 1 AND 5', name=op.f('reviews_rating_check')),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('reviews_course_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['learner_id'], ['learners.id'], name=op.f('reviews_learner_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('reviews_pkey')),
    sa.UniqueConstraint('course_id', 'learner_id', name=op.f('reviews_course_id_learner_id_key'))
    )
    op.create_index(op.f('reviews_learner_id_idx'), 'reviews', ['learner_id'], unique=False)
    op.create_index('reviews_newest_idx', 'reviews', ['course_id', 'created_at', 'id'], unique=False, postgresql_where=sa.text('hidden_at IS NULL'))
    op.create_table('modules',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('revision_id', sa.BigInteger(), nullable=False),
    sa.Column('lineage', sa.Uuid(), server_default=sa.text('gen_random_uuid()'), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False, comment='from 0, without gaps'),
    sa.Column('title', sa.Text(), nullable=False),
    sa.CheckConstraint('position >= 0', name=op.f('modules_position_check')),
    sa.ForeignKeyConstraint(['revision_id'], ['course_revisions.id'], name=op.f('modules_revision_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('modules_pkey')),
    sa.UniqueConstraint('revision_id', 'lineage', name=op.f('modules_revision_id_lineage_key')),
    sa.UniqueConstraint('revision_id', 'position', deferrable=True, initially='DEFERRED', name=op.f('modules_revision_id_position_key'))
    )
    op.create_table('assessments',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('revision_id', sa.BigInteger(), nullable=False),
    sa.Column('module_id', sa.BigInteger(), nullable=False),
    sa.Column('lineage', sa.Uuid(), server_default=sa.text('gen_random_uuid()'), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('passing_share', sa.Float(), nullable=False, comment='share of the points that passes, 0 to 1'),
    sa.Column('time_limit_seconds', sa.Integer(), nullable=True, comment='null: no limit'),
    sa.Column('attempt_limit', sa.Integer(), nullable=True, comment='null: no limit'),
    sa.CheckConstraint('attempt_limit > 0', name=op.f('assessments_attempt_limit_check')),
    sa.CheckConstraint('passing_share BETWEEN 0 AND 1', name=op.f('assessments_passing_share_check')),
    sa.CheckConstraint('time_limit_seconds > 0', name=op.f('assessments_time_limit_seconds_check')),
    sa.ForeignKeyConstraint(['module_id'], ['modules.id'], name=op.f('assessments_module_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['revision_id'], ['course_revisions.id'], name=op.f('assessments_revision_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('assessments_pkey')),
    sa.UniqueConstraint('module_id', name=op.f('assessments_module_id_key'))
    )
    op.create_index(op.f('assessments_revision_id_idx'), 'assessments', ['revision_id'], unique=False)
    op.create_table('lesson_progress',
    sa.Column('enrollment_id', sa.BigInteger(), nullable=False),
    sa.Column('lesson_lineage', sa.Uuid(), nullable=False),
    sa.Column('position_seconds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('watched_seconds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('position_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('position_seconds >= 0', name=op.f('lesson_progress_position_seconds_check')),
    sa.CheckConstraint('watched_seconds >= 0', name=op.f('lesson_progress_watched_seconds_check')),
    sa.ForeignKeyConstraint(['enrollment_id'], ['enrollments.id'], name=op.f('lesson_progress_enrollment_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('enrollment_id', 'lesson_lineage', name=op.f('lesson_progress_pkey'))
    )
    op.create_table('lessons',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('revision_id', sa.BigInteger(), nullable=False),
    sa.Column('module_id', sa.BigInteger(), nullable=False),
    sa.Column('lineage', sa.Uuid(), server_default=sa.text('gen_random_uuid()'), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False, comment='in its module, from 0, without gaps'),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('duration_seconds', sa.Integer(), server_default='0', nullable=False, comment='0 when unknown'),
    sa.Column('media_url', sa.Text(), nullable=True, comment='where a video is'),
    sa.Column('body', sa.Text(), nullable=True, comment='Markdown: an article, the instructions of an exercise, notes to a video'),
    sa.CheckConstraint("kind IN ('VIDEO', 'ARTICLE', 'EXERCISE')", name=op.f('lessons_kind_check')),
    sa.CheckConstraint('duration_seconds >= 0', name=op.f('lessons_duration_seconds_check')),
    sa.CheckConstraint('position >= 0', name=op.f('lessons_position_check')),
    sa.ForeignKeyConstraint(['module_id'], ['modules.id'], name=op.f('lessons_module_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['revision_id'], ['course_revisions.id'], name=op.f('lessons_revision_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('lessons_pkey')),
    sa.UniqueConstraint('module_id', 'position', deferrable=True, initially='DEFERRED', name=op.f('lessons_module_id_position_key')),
    sa.UniqueConstraint('revision_id', 'lineage', name=op.f('lessons_revision_id_lineage_key'))
    )
    op.create_table('attempts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('enrollment_id', sa.BigInteger(), nullable=False),
    sa.Column('assessment_id', sa.BigInteger(), nullable=False),
    sa.Column('assessment_lineage', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False, comment='of the learner at this assessment, from 1, over all revisions'),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deadline_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('graded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('score', sa.Float(), nullable=True, comment='points; null until graded'),
    sa.Column('max_score', sa.Float(), nullable=False),
    sa.Column('passed', sa.Boolean(), nullable=True, comment='null until graded'),
    sa.CheckConstraint("(status = 'GRADED') = (graded_at IS NOT NULL AND score IS NOT NULL AND passed IS NOT NULL)", name=op.f('attempts_graded_check')),
    sa.CheckConstraint("(status = 'IN_PROGRESS') = (submitted_at IS NULL)", name=op.f('attempts_submitted_at_check')),
    sa.CheckConstraint("status IN ('IN_PROGRESS', 'SUBMITTED', 'GRADED')", name=op.f('attempts_status_check')),
    sa.CheckConstraint('number >= 1', name=op.f('attempts_number_check')),
    sa.ForeignKeyConstraint(['assessment_id'], ['assessments.id'], name=op.f('attempts_assessment_id_fkey'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['enrollment_id'], ['enrollments.id'], name=op.f('attempts_enrollment_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('attempts_pkey')),
    sa.UniqueConstraint('enrollment_id', 'assessment_lineage', 'number', name=op.f('attempts_enrollment_id_assessment_lineage_number_key'))
    )
    op.create_index(op.f('attempts_assessment_id_idx'), 'attempts', ['assessment_id'], unique=False)
    op.create_index('attempts_in_progress_idx', 'attempts', ['enrollment_id', 'assessment_lineage'], unique=True, postgresql_where=sa.text("status = 'IN_PROGRESS'"))
    op.create_index('attempts_to_grade_idx', 'attempts', ['assessment_id', 'submitted_at'], unique=False, postgresql_where=sa.text("status = 'SUBMITTED'"))
    op.create_table('questions',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('assessment_id', sa.BigInteger(), nullable=False),
    sa.Column('lineage', sa.Uuid(), server_default=sa.text('gen_random_uuid()'), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False, comment='from 0, without gaps'),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('prompt', sa.Text(), nullable=False, comment='Markdown'),
    sa.Column('points', sa.Float(), nullable=False),
    sa.Column('choices', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False, comment='[{"id", "text"}]'),
    sa.Column('answer_key', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('explanation', sa.Text(), nullable=True, comment='shown once the attempt is graded'),
    sa.CheckConstraint("kind IN ('SINGLE_CHOICE', 'MULTIPLE_CHOICE', 'NUMERIC', 'SHORT_ANSWER')", name=op.f('questions_kind_check')),
    sa.CheckConstraint('points > 0', name=op.f('questions_points_check')),
    sa.CheckConstraint('position >= 0', name=op.f('questions_position_check')),
    sa.ForeignKeyConstraint(['assessment_id'], ['assessments.id'], name=op.f('questions_assessment_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('questions_pkey')),
    sa.UniqueConstraint('assessment_id', 'lineage', name=op.f('questions_assessment_id_lineage_key')),
    sa.UniqueConstraint('assessment_id', 'position', deferrable=True, initially='DEFERRED', name=op.f('questions_assessment_id_position_key'))
    )
    op.create_table('attempt_answers',
    sa.Column('attempt_id', sa.BigInteger(), nullable=False),
    sa.Column('question_id', sa.BigInteger(), nullable=False),
    sa.Column('response', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('saved_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('points', sa.Float(), nullable=True, comment='null until graded'),
    sa.Column('graded_by', sa.BigInteger(), nullable=True, comment='account of the instructor; null for the machine'),
    sa.Column('feedback', sa.Text(), nullable=True),
    sa.CheckConstraint('points >= 0', name=op.f('attempt_answers_points_check')),
    sa.ForeignKeyConstraint(['attempt_id'], ['attempts.id'], name=op.f('attempt_answers_attempt_id_fkey'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['question_id'], ['questions.id'], name=op.f('attempt_answers_question_id_fkey'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('attempt_id', 'question_id', name=op.f('attempt_answers_pkey'))
    )
    op.create_index(op.f('attempt_answers_question_id_idx'), 'attempt_answers', ['question_id'], unique=False)
    op.add_column('accounts', sa.Column('suspended_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('course_statistics', sa.Column('rating_count', sa.Integer(), server_default='0', nullable=False))
    op.add_column('course_statistics', sa.Column('rating_sum', sa.Integer(), server_default='0', nullable=False))
    op.add_column('enrollments', sa.Column('revision_id', sa.BigInteger(), nullable=True))
    op.create_index(op.f('enrollments_revision_id_idx'), 'enrollments', ['revision_id'], unique=False)
    op.create_foreign_key(op.f('enrollments_revision_id_fkey'), 'enrollments', 'course_revisions', ['revision_id'], ['id'], ondelete='RESTRICT')
    op.add_column('instructors', sa.Column('account_id', sa.BigInteger(), nullable=True))
    op.create_unique_constraint(op.f('instructors_account_id_key'), 'instructors', ['account_id'])
    op.create_foreign_key(op.f('instructors_account_id_fkey'), 'instructors', 'accounts', ['account_id'], ['id'], ondelete='SET NULL')
    op.add_column('topics', sa.Column('labels', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False, comment='names by BCP 47 tag'))
    op.alter_column('topics', 'name',
               existing_type=sa.TEXT(),
               comment='in English',
               existing_nullable=False)
    op.create_check_constraint(
        op.f('course_statistics_rating_sum_check'), 'course_statistics',
        'rating_sum BETWEEN rating_count AND 5 * rating_count',
    )
    op.execute(_REFUSE_CYCLES)
    op.execute(_CYCLE_TRIGGER)


def downgrade() -> None:
    """Take back."""
    op.execute("DROP TRIGGER course_prerequisites_are_acyclic ON course_prerequisites")
    op.execute("DROP FUNCTION refuse_prerequisite_cycles()")
    op.drop_constraint(op.f('course_statistics_rating_sum_check'), 'course_statistics', type_='check')
    op.alter_column('topics', 'name',
               existing_type=sa.TEXT(),
               comment=None,
               existing_comment='in English',
               existing_nullable=False)
    op.drop_column('topics', 'labels')
    op.drop_constraint(op.f('instructors_account_id_fkey'), 'instructors', type_='foreignkey')
    op.drop_constraint(op.f('instructors_account_id_key'), 'instructors', type_='unique')
    op.drop_column('instructors', 'account_id')
    op.drop_constraint(op.f('enrollments_revision_id_fkey'), 'enrollments', type_='foreignkey')
    op.drop_index(op.f('enrollments_revision_id_idx'), table_name='enrollments')
    op.drop_column('enrollments', 'revision_id')
    op.drop_column('course_statistics', 'rating_sum')
    op.drop_column('course_statistics', 'rating_count')
    op.drop_column('accounts', 'suspended_at')
    op.drop_index(op.f('attempt_answers_question_id_idx'), table_name='attempt_answers')
    op.drop_table('attempt_answers')
    op.drop_table('questions')
    op.drop_index('attempts_to_grade_idx', table_name='attempts', postgresql_where=sa.text("status = 'SUBMITTED'"))
    op.drop_index('attempts_in_progress_idx', table_name='attempts', postgresql_where=sa.text("status = 'IN_PROGRESS'"))
    op.drop_index(op.f('attempts_assessment_id_idx'), table_name='attempts')
    op.drop_table('attempts')
    op.drop_table('lessons')
    op.drop_table('lesson_progress')
    op.drop_index(op.f('assessments_revision_id_idx'), table_name='assessments')
    op.drop_table('assessments')
    op.drop_table('modules')
    op.drop_index('reviews_newest_idx', table_name='reviews', postgresql_where=sa.text('hidden_at IS NULL'))
    op.drop_index(op.f('reviews_learner_id_idx'), table_name='reviews')
    op.drop_table('reviews')
    op.drop_index('progress_reports_recorded_at_idx', table_name='progress_reports')
    op.drop_table('progress_reports')
    op.drop_index('course_revisions_published_idx', table_name='course_revisions', postgresql_where=sa.text("status = 'PUBLISHED'"))
    op.drop_index('course_revisions_open_idx', table_name='course_revisions', postgresql_where=sa.text("status IN ('DRAFT', 'IN_REVIEW')"))
    op.drop_table('course_revisions')
