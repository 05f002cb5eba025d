import { Client, fetchExchange } from "@urql/core";
import type { AnyVariables, TypedDocumentNode } from "@urql/core";

/** A refusal that the person in front of the screen can do something about. */
export class Refused extends Error {
  constructor(readonly userErrors: readonly { code: string; message: string; field: readonly string[] | null }[]) {
    super(userErrors.map((error) => `${error.code}: ${error.message}`).join("; "));
  }
}

/** A client whose requests carry the access token as soon as there is one. */
export class Waymark {
  #token: string | undefined;
  readonly #client: Client;

  constructor(url: string) {
    this.#client = new Client({
      url,
      exchanges: [fetchExchange],
      preferGetMethod: false,
      fetchOptions: () => ({
        headers: {
          "graphql-client-name": "web-example",
          "graphql-client-version": "1.0.0",
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        },
      }),
    });
  }

  signedInWith(token: string): void {
    this.#token = token;
  }

  async query<Data, Variables extends AnyVariables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    const result = await this.#client.query(document, variables, { requestPolicy: "network-only" }).toPromise();
    return answered(result.data, result.error);
  }

  async mutate<Data, Variables extends AnyVariables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    const result = await this.#client.mutation(document, variables).toPromise();
    return answered(result.data, result.error);
  }
}

/** The payload of a mutation that was not refused. */
export function accepted<Payload extends { userErrors: Refused["userErrors"] }>(payload: Payload): Payload {
  if (payload.userErrors.length > 0) {
    throw new Refused(payload.userErrors);
  }
  return payload;
}

/** What the contract allows to be null and this screen cannot do without. */
export function present<Value>(value: Value | null | undefined, what: string): Value {
  if (value === null || value === undefined) {
    throw new Error(`There is no ${what}.`);
  }
  return value;
}

function answered<Data>(data: Data | undefined, error: Error | undefined): Data {
  if (error !== undefined) {
    throw error;
  }
  return present(data, "answer");
}
