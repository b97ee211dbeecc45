import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

/** `npm run dev` talks to a gateway on this machine; the built page is served by the gateway. */
export default defineConfig({
  plugins: [vue()],
  server: { proxy: { '/api': 'http://127.0.0.1:8080' } },
});
