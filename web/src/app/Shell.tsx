import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  NavLink,
  Stack,
  Text,
  Title,
  useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { getVersion } from "../api/client";
import { ApiKeyField } from "./ApiKeyField";

const PAGES = [
  { path: "/chat", label: "chat.title" },
  { path: "/overview", label: "overview.title" },
  { path: "/plugins", label: "plugins.title" },
] as const;

const isWithin = (path: string, page: string) => path === page || path.startsWith(`${page}/`);

/** The frame around every page: header, navigation, theme. */
export function Shell() {
  const { t } = useTranslation();
  const [isMenuOpen, menu] = useDisclosure(false);
  const path = useLocation({ select: (location) => location.pathname });
  const version = useQuery({ queryKey: ["version"], queryFn: getVersion, staleTime: Infinity });

  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 200, breakpoint: "sm", collapsed: { mobile: !isMenuOpen } }}
      padding="md"
    >
      <a className="skip-link" href="#content">
        {t("app.skip")}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              hiddenFrom="sm"
              size="sm"
              opened={isMenuOpen}
              onClick={menu.toggle}
              aria-label={t(isMenuOpen ? "app.closeMenu" : "app.openMenu")}
            />
            <Title order={1} size="h3">
              {t("app.title")}
            </Title>
          </Group>
          <ThemeSwitch />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={t("app.menu")}>
        <Stack justify="space-between" h="100%">
          <div>
            {PAGES.map((page) => (
              <NavLink
                key={page.path}
                component={Link}
                to={page.path}
                label={t(page.label)}
                active={isWithin(path, page.path)}
                aria-current={path === page.path ? "page" : undefined}
                onClick={menu.close}
              />
            ))}
          </div>
          <Stack gap="xs">
            <ApiKeyField />
            {version.data && <Text size="xs">{t("app.version", { version: version.data })}</Text>}
          </Stack>
        </Stack>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

function ThemeSwitch() {
  const { t } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const next = scheme === "dark" ? "light" : "dark";
  return (
    <ActionIcon
      variant="default"
      size="lg"
      onClick={() => setColorScheme(next)}
      aria-label={t(next === "dark" ? "app.darkTheme" : "app.lightTheme")}
    >
      {scheme === "dark" ? "☀" : "☾"}
    </ActionIcon>
  );
}
