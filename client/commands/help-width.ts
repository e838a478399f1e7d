/** The width of help texts: how long lines are wrapped when they are printed. */

export const HELP_WIDTH = 100;

/** The text with no line of prose, and no comment on an example, beyond 100 columns. Commands stay in one line. */
export function wrappedHelp(text: string): string {
  const wrapped: string[] = [];
  let paragraph: string[] = [];
  const endParagraph = (): void => {
    const isLong = paragraph.some((line) => line.length > HELP_WIDTH);
    wrapped.push(...(isLong ? filled(paragraph.join(' ')) : paragraph));
    paragraph = [];
  };
  for (const line of text.split('\n')) {
    if (/^\S/.test(line)) paragraph.push(line);
    else {
      endParagraph();
      wrapped.push(...(line.length > HELP_WIDTH ? apart(line) : [line]));
    }
  }
  endParagraph();
  return wrapped.join('\n');
}

function filled(prose: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of prose.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > HELP_WIDTH) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** `  command      what it does` in two lines. */
function apart(example: string): string[] {
  const [, command, comment] = /^( +\S.*?) {2,}(\S.*)$/.exec(example) ?? [];
  if (command === undefined || comment === undefined) return [example];
  return [command, `      ${comment}`];
}
