import './styles.css';
import ui from '@nuxt/ui/vue-plugin';
import { createPinia } from 'pinia';
import { createApp, watch } from 'vue';
import { systemClock } from '../base/system-clock.ts';
import App from './App.vue';
import { EngineConnection } from './connection/engine-connection.ts';
import { openWebSocket } from './connection/open-web-socket.ts';
import { whileShown } from './connection/while-shown.ts';
import { createTranslations } from './i18n/create-translations.ts';
import { createScreens } from './router.ts';
import { refuseStrayDrops } from './share/refuse-stray-drops.ts';
import { engineLineKey, useEngine } from './stores/engine.ts';
import { useCommentLines } from './stores/comments.ts';
import { useMessages } from './stores/messages.ts';
import { useNotices } from './stores/notices.ts';
import { usePreferences } from './stores/preferences.ts';
import { useWorld } from './stores/world.ts';

const app = createApp(App);
const connection = new EngineConnection({
  open: openWebSocket,
  clock: systemClock,
  random: Math.random,
  listener: {
    onState(state) {
      useEngine().state = state;
      tellShown(state.kind === 'online');
    },
    onSnapshot(snapshot) {
      useWorld().applySnapshot(snapshot);
      const talks = snapshot.people.map(({ conversationId }) => conversationId);
      if (snapshot.account === null) useCommentLines().clear();
      useMessages().keepOnly(new Set([...snapshot.spheres.map(({ id }) => id), ...talks]));
      // Conversations that cannot be refreshed now keep what they show; opening one again asks again.
      useMessages()
        .refresh()
        .catch(() => undefined);
    },
    onEvent(event) {
      useWorld().applyEvent(event);
      if (event.kind === 'account' && event.account === null) useCommentLines().clear();
      if (event.kind === 'sphere-removed') useMessages().forgetSphere(event.sphereId);
      if (event.kind === 'contact-removed') useMessages().forgetSphere(event.conversationId);
      if (event.kind === 'message') {
        useMessages().applyMessage(event.message);
        useCommentLines().apply(event.message);
      }
      if (event.kind === 'message-removed') {
        useMessages().forgetMessage(event.sphereId, event.messageId);
        useCommentLines().forget(event.messageId);
      }
      if (event.kind === 'notice') useNotices().push({ code: event.code, params: event.params });
    },
  },
});
const tellShown = whileShown({ page: document, call: (ask) => connection.call(ask) });
app.provide(engineLineKey, connection);
app.use(createPinia());

const preferences = usePreferences();
const translations = createTranslations(preferences.activeLanguage);
watch(
  () => preferences.activeLanguage,
  (language) => {
    translations.global.locale.value = language;
    document.documentElement.lang = language;
  },
  { immediate: true },
);
watch(
  () => preferences.dark,
  (dark) => document.documentElement.classList.toggle('dark', dark),
  { immediate: true },
);

refuseStrayDrops(window);
app.use(translations).use(createScreens()).use(ui).mount('#app');
void connection.run();
