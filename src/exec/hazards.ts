/**
 * Variables that decide which code a program loads or runs, where it looks for its settings, or whom it trusts. A secret
 * must not become one by the accident of its name: `path` would empty PATH, `env` would make `sh` read a file.
 *
 * The list is what shells, dynamic linkers, language runtimes, build tools and pagers document as read at start-up. It is
 * a guard against accidents and against a planted name, not a sandbox. Proxies, CA bundles and KUBECONFIG are left out:
 * they are credentials or come from secrets often enough that refusing them would only teach people to use --override.
 */

const names = new Set(
  [
    // Shells.
    'PATH ENV IFS BASH_ENV SHELLOPTS BASHOPTS BASH_LOADABLES_PATH PS4 PROMPT_COMMAND CDPATH GLOBIGNORE ZDOTDIR',
    'FPATH SHELL HOME POSIXLY_CORRECT HISTFILE TMOUT',
    // C library, dynamic linkers, terminal descriptions.
    'GCONV_PATH GETCONF_DIR LOCPATH NLSPATH TZDIR GLIBC_TUNABLES LIBPATH SHLIB_PATH NIS_PATH HOSTALIASES LOCALDOMAIN',
    'RES_OPTIONS RESOLV_HOST_CONF TERMCAP TERMINFO TERMINFO_DIRS ASAN_OPTIONS',
    // TLS.
    'OPENSSL_CONF OPENSSL_CONF_INCLUDE OPENSSL_ENGINES OPENSSL_MODULES SSLKEYLOGFILE',
    // Language runtimes.
    'NODE_OPTIONS NODE_PATH NODE_REPL_EXTERNAL_MODULE NODE_TLS_REJECT_UNAUTHORIZED NODE_CHANNEL_FD',
    'ELECTRON_RUN_AS_NODE BUN_OPTIONS PIP_CONFIG_FILE VIRTUAL_ENV PERLLIB PERLIO PERLIO_DEBUG',
    'RUBYOPT RUBYLIB RUBYSHELL RUBYPATH GEM_PATH GEM_HOME BUNDLE_GEMFILE',
    'CLASSPATH JAVA_HOME JAVA_OPTS JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS MAVEN_OPTS GRADLE_OPTS ANT_OPTS',
    'SBT_OPTS CATALINA_OPTS DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS DOTNET_SHARED_STORE DOTNET_ROOT',
    'PHPRC PHP_INI_SCAN_DIR R_PROFILE R_PROFILE_USER R_ENVIRON R_ENVIRON_USER R_LIBS R_LIBS_USER R_HOME',
    'ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS ERL_LIBS ELIXIR_ERL_OPTIONS JULIA_LOAD_PATH TCLLIBPATH EMACSLOADPATH',
    // Build tools.
    'MAKEFLAGS MFLAGS GNUMAKEFLAGS MAKEFILES CC CXX GOFLAGS GOENV GOROOT GOTOOLCHAIN RUSTC RUSTC_WRAPPER RUSTFLAGS',
    'RUSTC_WORKSPACE_WRAPPER CMAKE_TOOLCHAIN_FILE',
    // Commands that other programs run for us.
    'EDITOR VISUAL FCEDIT PAGER MANPAGER LESSOPEN LESSCLOSE LESSKEY LESSKEYIN BROWSER VIMINIT GVIMINIT EXINIT',
    'SUDO_EDITOR SUDO_ASKPASS SSH_ASKPASS SSH_ASKPASS_REQUIRE SYSTEMD_EDITOR SYSTEMD_PAGER PSQL_EDITOR PSQL_PAGER',
    'KUBE_EDITOR HGEDITOR HGRCPATH HGMERGE SVN_EDITOR SVN_SSH CVS_RSH CVSEDITOR RSYNC_RSH RSYNC_CONNECT_PROG',
    // Our own: a library that is loaded, a command that is run, a project that is trusted.
    'VAULT_PKCS11_MODULE VAULT_PASSPHRASE_COMMAND VAULT_TRUST_PROJECT VAULT_TRUST_HOOKS',
    // Desktop toolkits that load plug-ins.
    'GTK_MODULES GTK_PATH GIO_EXTRA_MODULES QT_PLUGIN_PATH GST_PLUGIN_PATH',
    // Windows.
    'COMSPEC PATHEXT SYSTEMROOT WINDIR PSMODULEPATH APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES USERPROFILE',
  ].flatMap((line) => line.split(' ')),
);

const families =
  /^(?:LD_|DYLD_|LDR_|_RLD|MALLOC_|BASH_FUNC_|GIT_|PYTHON[A-Z]|PERL5|LUA_(?:INIT|PATH|CPATH)|COR_|CORECLR_)/u;

/** Whether setting `variable` may change what code the program runs. Case counts, but not on Windows. */
export function isHazardous(variable: string, platform: NodeJS.Platform): boolean {
  const name = platform === 'win32' ? variable.toUpperCase() : variable;
  // npm reads its settings in any case.
  return names.has(name) || families.test(name) || /^(?:npm_config_|COMPlus_)/iu.test(name);
}
