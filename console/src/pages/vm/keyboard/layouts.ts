// Which key of which place gives which character, by the layouts that guests are set to. Pure tables.
//
// A row of text is a row of keys, left to right: as it is, with Shift, with AltGr, with both. A space is a key
// that gives nothing, or nothing that Linux and Windows agree on.

export interface Layout {
  name: string
  plain: Rows
  shift: Rows
  altgr?: Rows
  both?: Rows
  /** Characters of the tables that wait for the next key: a space makes them the character itself. */
  dead?: string
}

/** The rows of digits, Q, A and Z; the last begins with the key between Shift and Z. */
type Rows = [string, string, string, string]

/** The places, named as a browser names them: by what a US keyboard has there. */
export const CODES = [
  'Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal',
  'KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight',
  'KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backslash',
  'IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash',
].map((row) => row.split(' '))

export const LAYOUTS = {
  us: {
    name: 'English (US)',
    plain: ['`1234567890-=', 'qwertyuiop[]', "asdfghjkl;'\\", ' zxcvbnm,./'],
    shift: ['~!@#$%^&*()_+', 'QWERTYUIOP{}', 'ASDFGHJKL:"|', ' ZXCVBNM<>?'],
  },
  gb: {
    name: 'English (UK)',
    plain: ['`1234567890-=', 'qwertyuiop[]', "asdfghjkl;'#", '\\zxcvbnm,./'],
    shift: ['¬!"£$%^&*()_+', 'QWERTYUIOP{}', 'ASDFGHJKL:@~', '|ZXCVBNM<>?'],
    altgr: ['    €', '', '', ''],
  },
  de: {
    name: 'German',
    plain: ['^1234567890ß´', 'qwertzuiopü+', 'asdfghjklöä#', '<yxcvbnm,.-'],
    shift: ['°!"§$%&/()=?`', 'QWERTZUIOPÜ*', "ASDFGHJKLÖÄ'", '>YXCVBNM;:_'],
    altgr: ['  ²³   {[]}\\', '@ €        ~', '', '|      µ'],
    dead: '^´`',
  },
  fr: {
    name: 'French',
    plain: ['²&é"\'(-è_çà)=', 'azertyuiop^$', 'qsdfghjklmù*', '<wxcvbn,;:!'],
    shift: [' 1234567890°+', 'AZERTYUIOP¨£', 'QSDFGHJKLM%µ', '>WXCVBN?./§'],
    altgr: ['  ~#{[|`\\ @]}', '  €', '', ''],
    dead: '^¨',
  },
  es: {
    name: 'Spanish',
    plain: ["º1234567890'¡", 'qwertyuiop`+', 'asdfghjklñ´ç', '<zxcvbnm,.-'],
    shift: ['ª!"·$%&/()=?¿', 'QWERTYUIOP^*', 'ASDFGHJKLÑ¨Ç', '>ZXCVBNM;:_'],
    altgr: ['\\|@#~ ¬', '  €       []', '          {}', ''],
    dead: '`^´¨',
  },
  it: {
    name: 'Italian',
    plain: ["\\1234567890'ì", 'qwertyuiopè+', 'asdfghjklòàù', '<zxcvbnm,.-'],
    shift: ['|!"£$%&/()=?^', 'QWERTYUIOPé*', 'ASDFGHJKLç°§', '>ZXCVBNM;:_'],
    // Linux alone has the first two.
    altgr: ['           `~', '  €       []', '         @#', ''],
    both: ['', '          {}', '', ''],
  },
} satisfies Record<string, Layout>

export type LayoutId = keyof typeof LAYOUTS
