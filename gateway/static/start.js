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
const fetcher = GraphiQL.createFetcher({ url: "/graphql" });
const element = React.createElement(GraphiQL, {
  fetcher,
  defaultQuery: start,
  isHeadersEditorEnabled: true,
  shouldPersistHeaders: false,
});
ReactDOM.render(element, document.getElementById("graphiql"));
