import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema/schema.graphql",
  documents: ["src/operations/*.graphql"],
  emitLegacyCommonJSImports: false,
  importExtension: ".js",
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: {
        fragmentMasking: false,
        // The hashes that `waymark operations register` reads.
        persistedDocuments: { mode: "embedHashInDocument", hashAlgorithm: "sha256" },
      },
      config: {
        enumsAsTypes: true,
        useTypeImports: true,
        // New enum values must not break a build that is already out.
        futureProofEnums: true,
        scalars: { DateTime: "string" },
        strictScalars: true,
      },
    },
  },
};

export default config;
