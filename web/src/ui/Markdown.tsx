import { lazy, Suspense } from "react";

const MarkdownBody = lazy(() => import("./MarkdownBody"));

/** Text of a model, as Markdown without raw HTML. Shows the plain text until the parser is there. */
export function Markdown({ text }: { text: string }) {
  return (
    <div className="chat-markdown">
      <Suspense fallback={<span style={{ whiteSpace: "pre-wrap" }}>{text}</span>}>
        <MarkdownBody text={text} />
      </Suspense>
    </div>
  );
}
