import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  server: {
    port: 5173,
    strictPort: true, // the server lets in this origin
    fs: { allow: [".."] }, // the style sheet is that of ../chat
  },
});
