// Tabs that are links: every tab has its URL.
import { Link } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'

interface Props {
  label: string
  base: string
  tabs: [id: string, title: string][]
  current: string
}

export function Tabs({ label, base, tabs, current }: Props) {
  const nav = useRef<HTMLElement>(null)
  // On a narrow screen the tabs scroll sideways: the current one is in sight.
  useEffect(() => {
    nav.current?.querySelector('[aria-current=page]')?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [current])
  return (
    <nav ref={nav} aria-label={label} className="mb-4 flex shrink-0 gap-1 overflow-x-auto border-b border-line">
      {tabs.map(([id, title], index) => (
        <Link
          key={id} to={index === 0 ? base : `${base}/${id}`} aria-current={current === id ? 'page' : undefined}
          className={`-mb-px border-b-2 px-3 py-1.5 whitespace-nowrap hover:text-ink ${current === id ? 'border-accent font-medium' : 'border-transparent text-dim'}`}
        >
          {title}
        </Link>
      ))}
    </nav>
  )
}
