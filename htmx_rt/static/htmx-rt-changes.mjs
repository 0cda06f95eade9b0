/*! htmx-rt 0.1.0 | MIT */
var a=[];export{a as features};
