import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

/** Features never import another feature, and only app/ knows them all. */
const layers = (files, forbidden) => ({
  files,
  rules: { "no-restricted-imports": ["error", { patterns: forbidden.map((group) => ({ group: [group] })) }] },
});

export default tseslint.config(
  { ignores: ["node_modules"] },
  ...tseslint.configs.strict,
  reactHooks.configs.flat.recommended,
  layers(["src/features/chat/**"], ["**/features/overview/**", "../overview/*", "**/app/*"]),
  layers(["src/features/overview/**"], ["**/features/chat/**", "../chat/*", "**/app/*"]),
  layers(["src/ui/**", "src/api/**"], ["**/features/**", "**/app/*"]),
);
