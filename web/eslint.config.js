import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

/** Features never import another feature, and only app/ knows them all. */
const layers = (files, forbidden) => ({
  files,
  rules: { "no-restricted-imports": ["error", { patterns: forbidden.map((group) => ({ group: [group] })) }] },
});

const FEATURES = ["chat", "overview", "plugins"];

export default tseslint.config(
  { ignores: ["node_modules"] },
  ...tseslint.configs.strict,
  reactHooks.configs.flat.recommended,
  ...FEATURES.map((feature) =>
    layers(
      [`src/features/${feature}/**`],
      [
        ...FEATURES.filter((other) => other !== feature).flatMap((other) => [
          `**/features/${other}/**`,
          `../${other}/*`,
        ]),
        "**/app/*",
      ],
    ),
  ),
  layers(["src/ui/**", "src/api/**"], ["**/features/**", "**/app/*"]),
);
