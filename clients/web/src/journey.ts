import { accepted, present } from "./client.js";
import type { Waymark } from "./client.js";
import {
  CoursePageDocument,
  EnrollDocument,
  HomeDocument,
  OnboardingDocument,
  RecordProgressDocument,
  SaveLearningPreferencesDocument,
  SignInDocument,
  StartAttemptDocument,
  SubmitAttemptDocument,
} from "./gql/graphql.js";
import type { AttemptFieldsFragment } from "./gql/graphql.js";

export interface Told {
  topic: string;
  recommended: string[];
  course: string;
  progress: number;
  score: string;
}

/** A learner's first hour: signing in, onboarding, a recommendation, a course, its lessons and an assessment. */
export async function firstHour(waymark: Waymark, email: string, password: string, slug: string): Promise<Told> {
  const { signIn } = await waymark.mutate(SignInDocument, { input: { email, password } });
  waymark.signedInWith(present(accepted(signIn).session, "session").accessToken);

  const { topics } = await waymark.query(OnboardingDocument, {});
  const topic = present(topics.nodes.at(-1), "topic");
  const saved = await waymark.mutate(SaveLearningPreferencesDocument, {
    input: { topicIds: [topic.id], goals: ["CURIOSITY"], level: "BEGINNER", languages: ["en"] },
  });
  accepted(saved.saveLearningPreferences);

  const { recommendedCourses } = await waymark.query(HomeDocument, { first: 5 });
  const { course } = await waymark.query(CoursePageDocument, { slug });
  const chosen = present(course, "course");
  const { enroll } = await waymark.mutate(EnrollDocument, {
    input: { courseId: chosen.id, recommendationId: recommendedCourses.recommendationId },
  });
  accepted(enroll);

  const progress = await completeLessons(waymark, chosen.modules.flatMap((module) => module.lessons));
  const assessment = present(chosen.modules.find((module) => module.assessment !== null)?.assessment, "assessment");
  const attempt = await attemptOnce(waymark, assessment.id);
  return {
    topic: topic.name,
    recommended: recommendedCourses.edges.map((edge) => edge.node.title),
    course: chosen.title,
    progress,
    score: `${attempt.score ?? "not yet"} of ${attempt.maxScore}`,
  };
}

async function completeLessons(waymark: Waymark, lessons: readonly { id: string }[]): Promise<number> {
  const { recordProgress } = await waymark.mutate(RecordProgressDocument, {
    input: {
      events: lessons.map((lesson, place) => ({
        lessonId: lesson.id,
        positionSeconds: 60,
        watchedSeconds: 60,
        completed: true,
        occurredAt: new Date().toISOString(),
        clientEventId: `first-hour-${place}`,
      })),
    },
  });
  return present(accepted(recordProgress).enrollments[0], "enrollment").progress;
}

async function attemptOnce(waymark: Waymark, assessmentId: string): Promise<AttemptFieldsFragment> {
  const { startAttempt } = await waymark.mutate(StartAttemptDocument, { input: { assessmentId } });
  const attempt = present(accepted(startAttempt).attempt, "attempt");
  const { submitAttempt } = await waymark.mutate(SubmitAttemptDocument, {
    input: { attemptId: attempt.id, answers: attempt.questions.flatMap(firstChoice) },
  });
  return present(accepted(submitAttempt).attempt, "attempt");
}

function firstChoice(question: AttemptFieldsFragment["questions"][number]) {
  if (question.__typename !== "SingleChoiceQuestion") {
    // A kind of question that this build does not know, or that needs thought, is left out.
    return [];
  }
  return [{ questionId: question.id, answer: { choiceIds: [present(question.choices[0], "choice").id] } }];
}
