// Ending the session of this browser.
import { useNavigate } from '@tanstack/react-router'
import { signOut } from '../../api/actions'
import { queryClient } from '../../api/cache'
import { notifyError } from '../../components/notices'

export function useSignOut(): () => void {
  const navigate = useNavigate()
  const leave = async () => {
    try {
      await signOut()
      await navigate({ to: '/signin' })
      queryClient.clear()
    } catch (error) {
      notifyError('You are still signed in', error)
    }
  }
  return () => void leave()
}
