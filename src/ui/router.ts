import { createRouter, createWebHashHistory, type Router } from 'vue-router';

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** The screens. The hash keeps every address on the one page that the engine serves. */
export function createScreens(): Router {
  return createRouter({
    history: createWebHashHistory(),
    routes: [
      { path: '/', name: 'home', component: () => import('./home/HomePage.vue') },
      {
        path: '/sphere/:sphereId',
        name: 'sphere',
        component: () => import('./sphere/SpherePage.vue'),
        props: true,
        children: [
          {
            path: 'item/:itemId/:file?',
            name: 'item',
            component: () => import('./player/ItemView.vue'),
            props: true,
          },
        ],
      },
      {
        path: '/people',
        name: 'people',
        component: () => import('./contacts/PeoplePage.vue'),
        children: [
          { path: 'requests', name: 'requests', component: () => import('./contacts/RequestsPage.vue') },
          { path: ':jid', name: 'person', component: () => import('./contacts/PersonPage.vue'), props: true },
        ],
      },
      { path: '/transfers', name: 'transfers', component: () => import('./transfers/TransfersPage.vue') },
      { path: '/settings', name: 'settings', component: () => import('./settings/SettingsPage.vue') },
      {
        path: '/check',
        name: 'check',
        component: () => import('./doctor/CheckPage.vue'),
        props: ({ query }) => ({ person: textOf(query['person']), sphere: textOf(query['sphere']) }),
      },
      { path: '/:rest(.*)', redirect: '/' },
    ],
  });
}
