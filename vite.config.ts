import ui from '@nuxt/ui/vite';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'src/ui',
  plugins: [
    vue({ template: { compilerOptions: { isCustomElement: (tag) => tag.startsWith('media-') } } }),
    ui({
      root: import.meta.dirname,
      // Components and composables are imported by name, so that types and layers can be checked.
      components: false,
      autoImport: false,
      dts: false,
      colorMode: false,
      ui: {
        colors: { primary: 'petrol', secondary: 'apricot', neutral: 'sand' },
        // What is too long scrolls between the title and the buttons, and squeezes neither.
        modal: { slots: { header: 'shrink-0', footer: 'shrink-0' } },
      },
      // Only the icons found in the sources are bundled: the page never asks an icon server.
      icon: { clientBundle: { scan: { globInclude: ['src/ui/**/*.{vue,ts}'], globExclude: [] }, sizeLimitKb: 256 } },
    }),
  ],
  build: { outDir: '../../dist/ui', emptyOutDir: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 900 },
});
