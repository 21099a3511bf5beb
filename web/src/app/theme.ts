import { createTheme, type CSSVariablesResolver } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  defaultRadius: "md",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
});

/** Texts of lesser weight and of errors, with the contrast that small letters need. */
export const cssVariables: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: { "--mantine-color-dimmed": colors.gray[7], "--mantine-color-error": colors.red[9] },
  dark: { "--mantine-color-dimmed": colors.dark[1], "--mantine-color-error": colors.red[4] },
});
