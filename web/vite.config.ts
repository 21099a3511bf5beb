import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  resolve: { tsconfigPaths: true },
  build: { outDir: "../build/web", emptyOutDir: true, chunkSizeWarningLimit: 900 },
  server: {
    proxy: { "^/(v1|admin|metrics|health|livez|readyz|version|openapi.json)": "http://127.0.0.1:8484" },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/app/test_setup.ts"],
    restoreMocks: true,
  },
});
