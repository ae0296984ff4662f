// Lets a page open the frame's search.
import { createContext } from 'react'

export const OpenSearch = createContext<() => void>(() => undefined)
