// Sets the theme before the first paint, so that a dark page never flashes white.
// Runs before the application; src/app/theme.ts takes over from here.
try {
  var choice = localStorage.getItem('novacron.theme')
  var dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
} catch (error) {
  document.documentElement.dataset.theme = 'light'
}
