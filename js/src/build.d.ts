/** Put in by the build (js/build.mjs). */
declare const __VERSION__: string;
