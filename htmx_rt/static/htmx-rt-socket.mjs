/*! htmx-rt 0.1.0 | MIT */
function r(){return()=>{}}export{r as wire};
