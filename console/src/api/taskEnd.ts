// Waiting for a task to end, where one step must follow another.
import { asProblem, Problem, request } from './client'
import { objectPath } from './kinds'
import type { Task } from './types'

const PAUSE_MS = 300

/** Throws what the task failed of. Outlives a daemon that is away for a while; ends with `signal`. */
export async function taskEnd(task: Task, signal?: AbortSignal): Promise<void> {
  let current = task
  while (!current.status.outcome) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    signal?.throwIfAborted()
    current = await again(current, signal)
  }
  const { state, error } = current.status.outcome
  if (error) throw new Problem({ status: 0, code: error.code, message: error.message, field: error.field ?? undefined, hint: error.hint ?? undefined })
  if (state !== 'succeeded') throw new Problem({ status: 0, code: state, message: `${task.spec.action} ${task.spec.target.name} was ${state}` })
}

async function again(task: Task, signal?: AbortSignal): Promise<Task> {
  try {
    return await request<Task>('GET', objectPath('task', task.meta.project ?? '', task.meta.name), { signal })
  } catch (error) {
    if (asProblem(error).code === 'unreachable') return task
    throw error
  }
}
