// Which project the page speaks of: the URL's, else the one last looked at.
import { useParams } from '@tanstack/react-router'

const KEY = 'novacron.project'

export function lastProject(): string {
  try {
    return localStorage.getItem(KEY) ?? 'default'
  } catch {
    return 'default'
  }
}

export function rememberProject(project: string): void {
  try {
    localStorage.setItem(KEY, project)
  } catch {
    // Forgotten at the next visit; the URL still says it.
  }
}

export function useProject(): string {
  const { project } = useParams({ strict: false })
  return project ?? lastProject()
}
