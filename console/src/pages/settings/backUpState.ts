// Begins the download of the whole state from wherever it is asked for.

export const BACKUP_PATH = '/v1/system/backup'

export function backUpState(): void {
  const link = document.createElement('a')
  link.href = BACKUP_PATH
  link.download = ''
  link.click()
}
