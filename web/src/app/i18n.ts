import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import en from "./en.json";

/** Every text of the dashboard stands in en.json; another language is another file of the same keys. */
void i18next.use(initReactI18next).init({
  lng: "en",
  fallbackLng: "en",
  resources: { en: { translation: en } },
  interpolation: { escapeValue: false }, // React escapes
});

export default i18next;
