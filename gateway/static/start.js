// Mounts GraphiQL on this server's own endpoint. Credentials go into the "Headers" pane, never into a cookie.
const start = `# Waymark: courses and recommendations.
# Sign in, then put {"Authorization": "Bearer <accessToken>"} into the Headers pane below.
query FirstPage {
  recommendedCourses(first: 5) {
    strategy
    modelVersion
    edges {
      rank
      score
      node { title level topics { name } }
      reasons { kind text }
    }
  }
}
`;
// What the address names is shown, and run by nobody but the person who looks at it.
const named = {};
for (const [name, value] of new URLSearchParams(window.location.search)) {
  if (["query", "variables", "operationName"].includes(name) && value) {
    named[name] = value;
  }
}
const fetcher = GraphiQL.createFetcher({ url: "/graphql" });
const element = React.createElement(GraphiQL, {
  fetcher,
  defaultQuery: start,
  isHeadersEditorEnabled: true,
  shouldPersistHeaders: false,
  ...named,
});
ReactDOM.render(element, document.getElementById("graphiql"));
