"""search by language, with accents folded and typos forgiven; counters for every course; neighbors of courses"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from database.extensions import require_extension

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

# PostgreSQL's configuration for the primary subtag of a course's language; what is not here, or not in this version
# of PostgreSQL, is not stemmed.
_CONFIGURATIONS = {
    'ar': 'arabic', 'ca': 'catalan', 'da': 'danish', 'de': 'german', 'el': 'greek', 'en': 'english', 'es': 'spanish',
    'et': 'estonian', 'eu': 'basque', 'fi': 'finnish', 'fr': 'french', 'ga': 'irish', 'hi': 'hindi', 'hu': 'hungarian',
    'hy': 'armenian', 'id': 'indonesian', 'it': 'italian', 'lt': 'lithuanian', 'nb': 'norwegian', 'ne': 'nepali',
    'nl': 'dutch', 'nn': 'norwegian', 'no': 'norwegian', 'pt': 'portuguese', 'ro': 'romanian', 'ru': 'russian',
    'sr': 'serbian', 'sv': 'swedish', 'ta': 'tamil', 'tr': 'turkish', 'yi': 'yiddish',
}

# What the parser of PostgreSQL would lose: C++, C# and F# are not C and F, .NET is not net, and the characters of
# Chinese and Japanese, which are written without spaces, are words of their own.
_SYMBOLS = r"""
CREATE FUNCTION search_text(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(regexp_replace(regexp_replace(regexp_replace(normalize($1, NFKC),
    '\m[cC]\+\+', 'cplusplus ', 'g'), '\m([cCfF])#', '\1sharp ', 'g'), '\.[nN][eE][tT]\M', ' dotnet ', 'g'),
    '([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])', ' \1 ', 'g')
"""
# Declared immutable, which it is as long as nobody edits the rules of the dictionary.
_FOLDED = """
CREATE FUNCTION search_folded(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN {schema}.unaccent('{schema}.unaccent'::regdictionary, search_text($1))
"""
_CONFIGURATION = """
CREATE FUNCTION search_configuration(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE split_part(lower(language), '-', 1) {cases} ELSE 'pg_catalog.simple'::regconfig END
"""
# A text by its stems, as it is written and with accents folded, and by its folded words. The mark stands between
# them, so that no phrase reaches from one into the next.
_VECTOR = """
CREATE FUNCTION search_vector(configuration regconfig, told text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN configuration = 'pg_catalog.simple'::regconfig THEN to_tsvector(configuration, search_folded(told))
    WHEN search_text(told) = search_folded(told) THEN to_tsvector(configuration, search_text(told))
        || '''|'':2'::tsvector || to_tsvector('pg_catalog.simple', search_folded(told))
    ELSE to_tsvector(configuration, search_text(told)) || '''|'':2'::tsvector
        || to_tsvector(configuration, search_folded(told)) || '''|'':2'::tsvector
        || to_tsvector('pg_catalog.simple', search_folded(told))
END
"""
_DOCUMENT = """
CREATE FUNCTION search_document(title text, summary text, description text, language text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(search_vector(search_configuration(language), title), 'A') || '''|'':2'::tsvector
    || setweight(search_vector(search_configuration(language), coalesce(summary, '')), 'B') || '''|'':2'::tsvector
    || setweight(search_vector(search_configuration(language), left(coalesce(description, ''), 50000)), 'C')
"""
# One query for the courses of each configuration (OFFSET 0: each text is folded and parsed once). Alternatives make an exclusion useless (what is not `gardens` may
# still be `gardening`), so a query that excludes is asked by folded stems alone, which every document has.
_QUERIES = """
CREATE FUNCTION search_queries(told text, prefix boolean) RETURNS TABLE (configuration regconfig, query tsquery)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 30
BEGIN ATOMIC
    SELECT each.configuration, CASE
        WHEN strpos(each.folded::text, '!') > 0 THEN each.folded
        WHEN prefix AND words.query::text ~ '(^|[^!])''[^'']+''$' AND folding.told ~ '[[:alnum:]]$'
            THEN each.stemmed || each.folded || (words.query::text || ':*')::tsquery
        ELSE each.stemmed || each.folded || words.query
    END
    FROM (
        SELECT search_text(typed.told) AS plain, search_folded(typed.told) AS told
        FROM (SELECT translate(told, '“”„«»', repeat('"', 5)) AS told) AS typed OFFSET 0
    ) AS folding
    CROSS JOIN LATERAL (SELECT websearch_to_tsquery('pg_catalog.simple', folding.told) AS query OFFSET 0) AS words
    CROSS JOIN LATERAL (
        SELECT known.configuration, websearch_to_tsquery(known.configuration, folding.plain) AS stemmed,
            websearch_to_tsquery(known.configuration, folding.told) AS folded
        FROM unnest(ARRAY[{configurations}]::regconfig[]) AS known (configuration) OFFSET 0
    ) AS each;
END
"""
_WORDS_OF = """
CREATE FUNCTION search_words_of(told text) RETURNS SETOF text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT lexeme FROM unnest(to_tsvector('pg_catalog.simple', search_folded(told))) WHERE lexeme ~ '^[[:alpha:]]{3,40}$';
END
"""
# Whoever adds words takes turns, so that two transactions never wait for each other's. Words are not taken out: a
# word is only offered as a correction while a published course has it.
_LEARN_WORDS = """
CREATE FUNCTION learn_search_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added CROSS JOIN LATERAL search_words_of(added.title || ' ' || coalesce(added.summary, '')) AS told
        WHERE NOT EXISTS (SELECT FROM search_words WHERE search_words.word = told)
    ) THEN
        PERFORM pg_advisory_xact_lock(7236917);
        INSERT INTO search_words (word)
        SELECT DISTINCT told FROM added
        CROSS JOIN LATERAL search_words_of(added.title || ' ' || coalesce(added.summary, '')) AS told
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$
"""
_LEARN_TRIGGERS = (
    """
    CREATE TRIGGER courses_teach_words_when_made AFTER INSERT ON courses
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION learn_search_words()
    """,
    """
    CREATE TRIGGER courses_teach_words_when_edited AFTER UPDATE ON courses
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION learn_search_words()
    """,
)
# At the end of the transaction, so that whoever makes a course may write its counters too.
_COUNT_COURSES = """
CREATE FUNCTION give_course_statistics() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO course_statistics (course_id) SELECT id FROM courses WHERE id = NEW.id ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$
"""
_COUNT_TRIGGER = """
CREATE CONSTRAINT TRIGGER courses_have_statistics AFTER INSERT ON courses DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION give_course_statistics()
"""
_OLD_SEARCH = (
    "setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', coalesce(summary, '')), 'B') || "
    "setweight(to_tsvector('simple', coalesce(description, '')), 'C')"
)


def upgrade() -> None:
    """Apply."""
    require_extension(op.get_bind(), 'pg_trgm')
    _make_functions(require_extension(op.get_bind(), 'unaccent'))
    _search_by('search_document(title, summary, description, language)')
    op.create_table('search_words',
    sa.Column('word', sa.Text(), nullable=False, comment='lower case, accents folded'),
    sa.PrimaryKeyConstraint('word', name=op.f('search_words_pkey'))
    )
    op.execute(
        "INSERT INTO search_words SELECT DISTINCT told FROM courses "
        "CROSS JOIN LATERAL search_words_of(title || ' ' || coalesce(summary, '')) AS told"
    )
    op.create_index(
        'search_words_trigrams_idx', 'search_words', ['word'], postgresql_using='gist',
        postgresql_ops={'word': 'gist_trgm_ops'},
    )
    for statement in (_LEARN_WORDS, *_LEARN_TRIGGERS, _COUNT_COURSES, _COUNT_TRIGGER):
        op.execute(statement)
    op.execute('INSERT INTO course_statistics (course_id) SELECT id FROM courses ON CONFLICT DO NOTHING')
    op.add_column('course_statistics', sa.Column(
        'rating_rank', sa.Float(),
        sa.Computed('(35 + rating_sum)::double precision / (10 + rating_count)', persisted=True), nullable=False,
    ))
    op.create_index('course_statistics_rating_idx', 'course_statistics', ['rating_rank', 'course_id'])
    op.create_table('course_neighbors',
    sa.Column('course_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('neighbor_ids', sa.ARRAY(sa.BigInteger()), nullable=False, comment='courses, the most similar first'),
    sa.ForeignKeyConstraint(['course_id'], ['courses.id'], name=op.f('course_neighbors_course_id_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('course_id', name=op.f('course_neighbors_pkey'))
    )


def _make_functions(schema: str) -> None:
    found = set(op.get_bind().execute(sa.text(
        "SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace"
    )).scalars())
    used = {tag: name for tag, name in _CONFIGURATIONS.items() if name in found}
    cases = ' '.join(f"WHEN '{tag}' THEN 'pg_catalog.{name}'::regconfig" for tag, name in used.items())
    configurations = ', '.join(f"'pg_catalog.{name}'" for name in sorted({'simple', *used.values()}))
    for statement in (
        _SYMBOLS, _FOLDED.replace('{schema}', schema), _CONFIGURATION.replace('{cases}', cases), _VECTOR, _DOCUMENT,
        _QUERIES.replace('{configurations}', configurations), _WORDS_OF,
    ):
        # Not `op.execute`, which would take the colons of a cast for parameters.
        op.get_bind().exec_driver_sql(statement)


def _search_by(document: str) -> None:
    op.drop_index('courses_search_idx', table_name='courses', postgresql_using='gin')
    op.drop_column('courses', 'search')
    op.add_column('courses', sa.Column('search', postgresql.TSVECTOR(), sa.Computed(document, persisted=True)))
    op.create_index('courses_search_idx', 'courses', ['search'], postgresql_using='gin')


def downgrade() -> None:
    """Take back, except for the extensions, which others may use."""
    op.drop_table('course_neighbors')
    op.drop_index('course_statistics_rating_idx', table_name='course_statistics')
    op.drop_column('course_statistics', 'rating_rank')
    op.execute('DROP TRIGGER courses_have_statistics ON courses')
    op.execute('DROP FUNCTION give_course_statistics()')
    op.execute('DROP TRIGGER courses_teach_words_when_edited ON courses')
    op.execute('DROP TRIGGER courses_teach_words_when_made ON courses')
    op.execute('DROP FUNCTION learn_search_words()')
    op.drop_index('search_words_trigrams_idx', table_name='search_words', postgresql_using='gist')
    op.drop_table('search_words')
    _search_by(_OLD_SEARCH)
    for function in (
        'search_words_of(text)', 'search_queries(text, boolean)', 'search_document(text, text, text, text)',
        'search_vector(regconfig, text)', 'search_configuration(text)', 'search_folded(text)', 'search_text(text)',
    ):
        op.execute(f'DROP FUNCTION {function}')
