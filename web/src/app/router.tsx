import { createRootRoute, createRoute, createRouter, redirect } from "@tanstack/react-router";
import { ChatPage } from "../features/chat/ChatPage";
import { OverviewPage } from "../features/overview/OverviewPage";
import { PluginPage } from "../features/plugins/PluginPage";
import { PluginsPage } from "../features/plugins/PluginsPage";
import { NotFound } from "./NotFound";
import { Shell } from "./Shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const pages = [
  createRoute({
    getParentRoute: () => root,
    path: "/",
    beforeLoad: () => {
      throw redirect({ to: "/chat", replace: true });
    },
  }),
  createRoute({ getParentRoute: () => root, path: "/chat", component: ChatPage }),
  createRoute({ getParentRoute: () => root, path: "/overview", component: OverviewPage }),
  createRoute({ getParentRoute: () => root, path: "/plugins", component: PluginsPage }),
  createRoute({ getParentRoute: () => root, path: "/plugins/$publisher/$name", component: PluginPage }),
];

/** One route for each page; the server answers every such path with the same document. */
export const router = createRouter({ routeTree: root.addChildren(pages) });
