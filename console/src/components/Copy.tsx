// Copying to the clipboard: a button, and a text that copies itself.
import { Check, Copy as CopyIcon } from 'lucide-react'
import { Fragment, useState } from 'react'
import { useProject } from '../app/project'
import { inProject } from './command'
import { notify } from './notices'

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    notify({ tone: 'bad', title: 'The browser did not allow copying', text })
  }
}

function useCopied(text: string): [boolean, () => void] {
  const [copied, setCopied] = useState(false)
  const copy = () => {
    void copyText(text).then(() => {
      setCopied(true)
      setTimeout(() => setCopied(false), 1500)
    })
  }
  return [copied, copy]
}

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [copied, copy] = useCopied(text)
  return (
    <button type="button" className="btn" onClick={copy}>
      {copied ? <Check size={14} aria-hidden="true" /> : <CopyIcon size={14} aria-hidden="true" />}
      <span aria-live="polite">{copied ? 'Copied' : label}</span>
    </button>
  )
}

/** A short value, such as an address: a click copies it. */
export function CopyText({ text, children }: { text: string; children?: React.ReactNode }) {
  const [copied, copy] = useCopied(text)
  return (
    <button
      type="button"
      className="max-w-full truncate rounded px-0.5 text-left hover:bg-hover hover:text-accent"
      title={copied ? 'Copied' : `Copy ${text}`}
      onClick={copy}
    >
      {!copied && <span className="sr-only">Copy </span>}
      {copied ? 'Copied' : (children ?? text)}
    </button>
  )
}

/** Lines break before a flag, never between a flag and its value. */
function unbroken(text: string): string[] {
  return text.split(/ (?=--)/).flatMap((part, index) => (index === 0 ? part.split(' ') : [part]))
}

/** A command line with a button beside it. It acts on the project that the page speaks of. */
export function CommandLine({ text: line, stacked }: { text: string; stacked?: boolean }) {
  const text = inProject(line, useProject())
  return (
    <div className={stacked ? 'space-y-2' : 'flex items-start gap-2'}>
      <code className="block min-w-0 flex-1 rounded-md bg-hover px-2.5 py-1.5 text-left font-mono text-[13px] wrap-anywhere">
        {unbroken(text).map((part, index) => (
          <Fragment key={index}>
            {index > 0 && ' '}
            <span className="inline-block">{part}</span>
          </Fragment>
        ))}
      </code>
      <CopyButton text={text} />
    </div>
  )
}
