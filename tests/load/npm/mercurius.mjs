// Mercurius with its JIT, loaders and persisted queries, as its documentation writes them; `pg` with prepared statements.
//
//     node mercurius.mjs PORT OPERATIONS ACCOUNT    (PGHOST, PGUSER, PGDATABASE name the database)
//
// OPERATIONS is a file with an object from hash to text.
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import pg from 'pg'

const [port, operations, account] = process.argv.slice(2)

// The same spelling of moments as everybody's: RFC 3339 with the offset of UTC.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => text.replace(' ', 'T') + ':00')
const pool = new pg.Pool({ max: 8, options: '-c timezone=UTC' })

async function rows (name, text, values) {
  return (await pool.query({ name, text, values })).rows
}

function grouped (found, key, keys) {
  const groups = new Map(keys.map((each) => [each, []]))
  for (const row of found) groups.get(row[key]).push(row)
  return keys.map((each) => groups.get(each))
}

const opaque = (kind) => (row) => Buffer.from(`${kind}:${row.id}`).toString('base64url')
const ids = (queries) => queries.map(({ obj }) => obj.id)

const COURSE = 'c.id, c.slug, c.title, c.summary, c.level, c.language, c.duration_minutes, c.published_at'

const schema = `
  scalar DateTime
  enum CourseLevel { BEGINNER INTERMEDIATE ADVANCED ALL_LEVELS }
  enum EnrollmentStatus { ACTIVE COMPLETED WITHDRAWN }
  type Topic { id: ID! slug: String! name: String! }
  type Instructor { id: ID! displayName: String! }
  type InstructorConnection { nodes: [Instructor!]! }
  type Lesson { id: ID! title: String! durationSeconds: Int! }
  type Module { id: ID! title: String! lessons: [Lesson!]! }
  type Course {
    id: ID! slug: String! title: String! summary: String level: CourseLevel! language: String!
    durationMinutes: Int! publishedAt: DateTime enrollmentCount: Int!
    topics: [Topic!]! instructors(first: Int!): InstructorConnection! modules: [Module!]!
  }
  type CourseConnection { totalCount: Int! nodes: [Course!]! }
  type Enrollment { id: ID! status: EnrollmentStatus! progress: Float! enrolledAt: DateTime! course: Course! }
  type EnrollmentConnection { nodes: [Enrollment!]! }
  type Viewer { id: ID! enrollments(first: Int!): EnrollmentConnection! }
  input CourseBy { slug: String! }
  type Query { courses(first: Int!): CourseConnection! course(by: CourseBy!): Course viewer: Viewer }
`

const resolvers = {
  Query: {
    courses: async (_, { first }) => ({
      nodes: await rows('courses', `SELECT ${COURSE}, s.enrollment_count FROM courses c
        JOIN course_statistics s ON s.course_id = c.id WHERE c.status = 'PUBLISHED'
        ORDER BY s.enrollment_count DESC, c.id DESC LIMIT $1`, [first])
    }),
    course: async (_, { by }) => (await rows('course', `SELECT ${COURSE} FROM courses c
      WHERE c.slug = $1 AND c.status = 'PUBLISHED'`, [by.slug]))[0] ?? null,
    viewer: async () => (await rows('viewer', 'SELECT id, learner_id FROM accounts WHERE id = $1', [account]))[0] ?? null
  },
  CourseConnection: {
    totalCount: async () => (await rows('count', "SELECT count(*)::int AS count FROM courses WHERE status = 'PUBLISHED'", []))[0].count
  },
  Course: {
    id: opaque('Course'),
    durationMinutes: (row) => row.duration_minutes,
    publishedAt: (row) => row.published_at,
    enrollmentCount: (row) => row.enrollment_count
  },
  Topic: { id: opaque('Topic') },
  Instructor: { id: opaque('Instructor'), displayName: (row) => row.display_name },
  Module: { id: opaque('Module') },
  Lesson: { id: opaque('Lesson'), durationSeconds: (row) => row.duration_seconds },
  Enrollment: { id: opaque('Enrollment'), enrolledAt: (row) => row.enrolled_at },
  Viewer: {
    id: opaque('Viewer'),
    enrollments: async (viewer, { first }) => ({
      nodes: await rows('enrollments', `SELECT id, course_id, status, progress, enrolled_at FROM enrollments
        WHERE learner_id = $1 AND status IN ('ACTIVE', 'COMPLETED') ORDER BY enrolled_at DESC, id DESC LIMIT $2`,
      [viewer.learner_id, first])
    })
  }
}

// A cache of loaders would answer siblings that ask for the same once; here nobody does, so it would only cost.
const uncached = (loader) => ({ loader, opts: { cache: false } })

const loaders = {
  Course: {
    topics: uncached(async (queries) => grouped(await rows('topics', `SELECT ct.course_id, t.id, t.slug, t.name
      FROM course_topics ct JOIN topics t ON t.id = ct.topic_id WHERE ct.course_id = ANY($1)
      ORDER BY ct.position, t.id`, [ids(queries)]), 'course_id', ids(queries))),
    instructors: uncached(async (queries) => grouped(await rows('instructors', `SELECT ci.course_id, i.id, i.display_name
      FROM course_instructors ci JOIN instructors i ON i.id = ci.instructor_id WHERE ci.course_id = ANY($1)
      ORDER BY ci.position, i.id`, [ids(queries)]), 'course_id', ids(queries))
      .map((nodes, place) => ({ nodes: nodes.slice(0, queries[place].params.first) }))),
    modules: uncached(async (queries) => grouped(await rows('modules', `SELECT r.course_id, m.id, m.title
      FROM course_revisions r JOIN modules m ON m.revision_id = r.id
      WHERE r.course_id = ANY($1) AND r.status = 'PUBLISHED' ORDER BY m.position`, [ids(queries)]), 'course_id', ids(queries)))
  },
  Module: {
    lessons: uncached(async (queries) => grouped(await rows('lessons', `SELECT module_id, id, title, duration_seconds
      FROM lessons WHERE module_id = ANY($1) ORDER BY position`, [ids(queries)]), 'module_id', ids(queries)))
  },
  Enrollment: {
    course: uncached(async (queries) => {
      const keys = queries.map(({ obj }) => obj.course_id)
      const found = await rows('courses_by_id', `SELECT ${COURSE} FROM courses c WHERE c.id = ANY($1)`, [keys])
      const known = new Map(found.map((row) => [row.id, row]))
      return keys.map((key) => known.get(key))
    })
  }
}

const app = Fastify()
app.register(mercurius, {
  schema,
  resolvers,
  loaders,
  jit: 1,
  persistedQueries: JSON.parse(readFileSync(operations, 'utf8')),
  onlyPersisted: true,
  graphiql: false
})
await app.listen({ port: Number(port), host: '127.0.0.1' })
