// The corner where short messages appear.
import { Check, X } from 'lucide-react'
import { dismiss, useNotices } from './notices'
import { AlertIcon } from './StateMark'

export function Notices() {
  const notices = useNotices()
  return (
    <div className="pointer-events-none fixed right-3 bottom-24 z-40 flex w-96 max-w-[calc(100vw-1.5rem)] flex-col gap-2 md:bottom-12" aria-live="polite">
      {notices.map((notice) => (
        <div
          key={notice.id}
          role={notice.tone === 'bad' ? 'alert' : 'status'}
          className="panel pointer-events-auto flex gap-2 bg-raised p-3 shadow-lg"
        >
          <span className={`mt-0.5 ${notice.tone === 'bad' ? 'text-bad' : 'text-ok'}`}>
            {notice.tone === 'bad' ? <AlertIcon /> : <Check size={16} aria-hidden="true" />}
          </span>
          <div className="min-w-0 flex-1">
            <p className="font-medium break-words">{notice.title}</p>
            {notice.text && <p className="break-words text-dim">{notice.text}</p>}
            {notice.code && <p className="font-mono text-xs text-dim">{notice.code}</p>}
          </div>
          <button type="button" className="btn btn-quiet btn-icon -m-1.5" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
            <X size={14} aria-hidden="true" />
          </button>
        </div>
      ))}
    </div>
  )
}
